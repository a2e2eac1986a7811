//! The typed placeholders: their names, and how they are read back. Must not know how values are recognized (`value`).

/// What a value is. The names are what people and models read in template texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    Num,
    Hex,
    Ip,
    Mac,
    Uuid,
    Path,
    Url,
    Mail,
    Dur,
    Size,
    /// Generalized like [`Mask::Any`], of places that always stood in quotes. What is quoted is text and not masked for
    /// being quoted: `reply was "disk failure imminent"` is no value.
    Str,
    Time,
    /// A flag in a dump of many: `true`, `off`, `null`.
    Bool,
    /// A word of letters and digits that is none of the others: `u4k9x`, `x86`.
    Id,
    /// Whatever stood here differed: the generalized token.
    Any,
}

impl Mask {
    pub const ALL: [Mask; 15] = [
        Mask::Num,
        Mask::Hex,
        Mask::Ip,
        Mask::Mac,
        Mask::Uuid,
        Mask::Path,
        Mask::Url,
        Mask::Mail,
        Mask::Dur,
        Mask::Size,
        Mask::Str,
        Mask::Time,
        Mask::Bool,
        Mask::Id,
        Mask::Any,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Mask::Num => "<NUM>",
            Mask::Hex => "<HEX>",
            Mask::Ip => "<IP>",
            Mask::Mac => "<MAC>",
            Mask::Uuid => "<UUID>",
            Mask::Path => "<PATH>",
            Mask::Url => "<URL>",
            Mask::Mail => "<MAIL>",
            Mask::Dur => "<DUR>",
            Mask::Size => "<SIZE>",
            Mask::Str => "<STR>",
            Mask::Time => "<TIME>",
            Mask::Bool => "<BOOL>",
            Mask::Id => "<ID>",
            Mask::Any => "<*>",
        }
    }
}

impl Mask {
    /// Stands for a generalized place, not for a value.
    pub fn is_open(self) -> bool {
        matches!(self, Mask::Any | Mask::Str)
    }

    /// The placeholder that stands at `at`, as in a masked text that is masked again, and where it ends.
    pub fn at(text: &[u8], at: usize) -> Option<(Mask, usize)> {
        let rest = text.get(at..)?;
        let mask = Mask::ALL.into_iter().find(|mask| rest.starts_with(mask.as_str().as_bytes()))?;
        Some((mask, at + mask.as_str().len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for mask in Mask::ALL {
            let text = format!("x{}y", mask.as_str());
            assert_eq!(Mask::at(text.as_bytes(), 1), Some((mask, text.len() - 1)));
        }
        assert_eq!(Mask::at(b"<NU>", 0), None);
        assert_eq!(Mask::at(b"", 3), None);
    }
}
