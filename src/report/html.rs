//! `report.html`: one page that needs nothing else. The report goes in as JSON; a script of ours draws it, setting text only.
//! A content security policy lets that script and our styles run and nothing else, not even a request.

use std::io::Write;

use super::analysis::Report;

const PAGE: &str = include_str!("report.html");
const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// Writes the page.
///
/// # Errors
/// When `out` cannot be written.
pub fn html(report: &Report, mut out: impl Write) -> std::io::Result<()> {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        out.write_all(before.as_bytes())?;
        let (name, after) = after.split_once("}}").unwrap_or(("", after));
        match name {
            "policy" => out.write_all(policy.as_bytes())?,
            "style" => out.write_all(STYLE.as_bytes())?,
            "script" => out.write_all(SCRIPT.as_bytes())?,
            "report" => out.write_all(embedded(report)?.as_bytes())?,
            _ => {}
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// The report as JSON that cannot end its element or begin a comment: `<`, `>` and `&` become escapes of JSON.
fn embedded(report: &Report) -> serde_json::Result<String> {
    let json = serde_json::to_string(report)?;
    Ok(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}

/// Source expression of an inline script or style (CSP level 3, section 2.3.1).
fn hash(text: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    format!("sha256-{}", base64(&digest))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS.get((group >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn hostile_text_stays_in_its_element() {
        let report =
            Report { summary: "</script><script>alert(1)</script><!--{{style}}".to_owned(), ..Report::default() };
        let mut page = Vec::new();
        html(&report, &mut page).expect("into memory");
        let page = String::from_utf8(page).expect("text");
        assert!(!page.contains("<script>alert"), "the script got out");
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("\\u003c/script\\u003e\\u003cscript\\u003ealert(1)"));
        // Nothing inline that the policy would have to allow, and nothing fetched.
        for forbidden in [
            "style=\"",
            "onclick",
            "innerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "src=",
            "@import",
            "url(",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
}
