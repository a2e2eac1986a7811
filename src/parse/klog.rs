//! Kubernetes' klog and its forefather glog: `I1122 05:55:40.123456   4727 file.go:187] message`, in newer
//! glog with the year: `I20261122 ...`.

use crate::model::Header;

use super::cursor::{Cursor, required};
use super::date::Date;
use super::format::Format;
use super::line::{self, Setting};
use super::stamp::{Moment, Stamp, time_of_day};
use super::syslog::decimal;
use super::{level, text};

pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let mut header = line::new(Format::Klog);
    let mut cursor = Cursor::new(bytes);
    let letter = cursor.peek(0);
    required(matches!(letter, b'I' | b'W' | b'E' | b'F'))?;
    header.level = level::letter(letter);
    cursor.advance(1);
    let year = if cursor.digits_ahead() == 8 { cursor.number(4, 4) } else { None };
    let (month, day) = (cursor.two_digits()?, cursor.two_digits()?);
    required(cursor.eat(b' '))?;
    let time = time_of_day(&mut cursor, b':')?;
    required(cursor.spaces() > 0)?;
    let thread = cursor.token();
    required(cursor.spaces() > 0)?;
    // The line number changes with every release; the file is the component.
    let file = cursor.until(b':', text::HOST_MAX)?;
    cursor.number(1, 9)?;
    required(cursor.eat(b']'))?;
    let date = match year {
        Some(year) => Date::Full { year: i32::try_from(year).ok()?, month, day },
        None => Date::NoYear { month, day },
    };
    let moment = Moment { date, time, offset: None, bare: false };
    header.time = setting.clock.resolve(&Stamp::Moment(moment), &mut header.notes);
    header.pid = decimal(thread);
    header.program = text::program(file);
    header.message = text::message(cursor.rest(), &mut header.notes);
    Some(header)
}
