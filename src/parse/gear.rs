//! What routers and switches write between the priority and the stamp: a sequence number, their name, a mark for a clock
//! that nothing has set. Reads only what ends with a vendor's `%FACILITY-LEVEL-NAME`.

use super::cursor::Cursor;
use super::stamp::{self, Moment};
use super::syslog::is_host;

/// A line of network gear up to its message.
pub(super) struct Stamped<'a> {
    pub host: Option<&'a [u8]>,
    pub moment: Moment,
    /// From the `%` on.
    pub rest: Cursor<'a>,
}

/// `45: router1: *Nov 22 05:55:40.123 UTC: %LINK-3-UPDOWN: ...`, `: 2026 Nov 22 05:55:40 UTC: %DAEMON-5-SYSTEM_MSG: ...`
pub(super) fn stamped(start: Cursor<'_>) -> Option<Stamped<'_>> {
    let mut cursor = start;
    // A sequence number, counted up by the sender.
    cursor.number(1, 12);
    cursor.eat(b':');
    cursor.spaces();
    let mut host = None;
    let mut ahead = cursor;
    if let [name @ .., b':'] = ahead.token()
        && is_host(name)
    {
        ahead.spaces();
        host = Some(name);
        cursor = ahead;
    }
    // `*`: the clock was never set; `.`: it was, but not lately.
    let _ = cursor.eat(b'*') || cursor.eat(b'.');
    let mut year = None;
    let mut ahead = cursor;
    if ahead.digits_ahead() == 4 {
        year = ahead.number(4, 4);
        ahead.spaces();
        cursor = ahead;
    }
    let mut moment = stamp::month_name_first(&mut cursor)?;
    if let (Some(year), super::date::Date::NoYear { month, day }) = (year, moment.date) {
        moment.date = super::date::Date::Full { year: i32::try_from(year).ok()?, month, day };
    }
    cursor.eat(b':');
    cursor.spaces();
    (cursor.peek(0) == b'%').then_some(Stamped { host, moment, rest: cursor })
}
