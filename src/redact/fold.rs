//! Brings the ways to write a letter to one: width, style, look-alikes, accents, what stands between words. For searching
//! only; nothing that was folded is shown or sent.

use super::clean::{Reader, clean};

/// Lower case, invisible characters gone, encoded characters decoded, styled letters plain.
pub(super) fn plain(text: &str) -> String {
    let text = clean(text, Reader::People);
    percent_decoded(&text).chars().filter_map(fold_width).collect::<String>().to_lowercase()
}

/// Look-alike letters as Latin ones.
pub(super) fn letters(text: &str) -> String {
    text.chars().map(fold_letter).collect()
}

/// Lower-case words with one space between, whatever stood there.
pub(super) fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// `%20` and friends; `+` is a word break anyway.
fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b' '));
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Styled letters to ASCII: full-width, mathematical, circled, squared, small capitals. Marks over letters vanish.
fn fold_width(character: char) -> Option<char> {
    let code = u32::from(character);
    match code {
        0x300..=0x36f | 0x483..=0x489 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f => None,
        0x249c..=0x24b5 => char::from_u32(u32::from('a') + code - 0x249c),
        0x1f130..=0x1f149 | 0x1f150..=0x1f169 | 0x1f170..=0x1f189 => {
            char::from_u32(u32::from('a') + (code - 0x1f130) % 32)
        }
        0x1f1e6..=0x1f1ff => char::from_u32(u32::from('a') + code - 0x1f1e6),
        0xff01..=0xff5e => char::from_u32(code - 0xff01 + 0x21),
        0x1d400..=0x1d6a3 => {
            char::from_u32(u32::from(if (code - 0x1d400) % 52 < 26 { 'A' } else { 'a' }) + (code - 0x1d400) % 26)
        }
        0x24b6..=0x24e9 => char::from_u32(u32::from('a') + (code - 0x24b6) % 26),
        _ => Some(character),
    }
}

/// Digits and foreign letters that look like Latin ones.
fn fold_letter(character: char) -> char {
    match character {
        '0' | 'о' | 'ο' | 'օ' => 'o',
        '1' | 'і' | 'ι' | 'ı' | 'ӏ' => 'i',
        '3' | 'е' | 'ε' => 'e',
        '4' | 'а' | 'α' => 'a',
        '5' | 'ѕ' => 's',
        '7' | 'т' | 'τ' => 't',
        'р' | 'ρ' => 'p',
        'с' | 'ϲ' => 'c',
        'у' | 'γ' => 'y',
        'х' | 'χ' => 'x',
        'ԁ' => 'd',
        'һ' => 'h',
        'ո' => 'n',
        'ν' | 'ѵ' => 'v',
        'ԝ' => 'w',
        'м' => 'm',
        'к' | 'κ' => 'k',
        'ɡ' => 'g',
        'ј' | 'ᴊ' => 'j',
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ạ' | 'ᴀ' | 'ɑ' => 'a',
        'ʙ' => 'b',
        'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' | 'ᴄ' => 'c',
        'ď' | 'đ' | 'ᴅ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẹ' | 'ᴇ' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' | 'ɢ' => 'g',
        'ĥ' | 'ħ' | 'ʜ' => 'h',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ɪ' | 'ị' => 'i',
        'ķ' | 'ᴋ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ł' | 'ʟ' => 'l',
        'ᴍ' => 'm',
        'ñ' | 'ń' | 'ņ' | 'ň' | 'ɴ' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ọ' | 'ᴏ' => 'o',
        'ᴘ' => 'p',
        'ŕ' | 'ŗ' | 'ř' | 'ʀ' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ꜱ' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ᴛ' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ụ' | 'ᴜ' => 'u',
        'ᴠ' => 'v',
        'ŵ' | 'ᴡ' => 'w',
        'ý' | 'ÿ' | 'ŷ' | 'ʏ' => 'y',
        'ź' | 'ż' | 'ž' | 'ᴢ' => 'z',
        _ => character,
    }
}
