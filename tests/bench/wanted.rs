//! What a bench was asked for on its command line. Measures nothing.

/// Which sections, and whether in short.
pub struct Wanted {
    pub short: bool,
    /// All when empty.
    sections: Vec<String>,
}

impl Wanted {
    /// `[--short] [SECTION...]`; `None` without `--bench`, as when tests are built. Ends the process where no section is
    /// called so.
    pub fn of(sections: &[&str]) -> Option<Wanted> {
        let mut arguments: Vec<String> = std::env::args().skip(1).collect();
        let mut take = |name: &str| {
            let before = arguments.len();
            arguments.retain(|argument| argument != name);
            before != arguments.len()
        };
        let (bench, short) = (take("--bench"), take("--short"));
        if let Some(unknown) = arguments.iter().find(|argument| bench && !sections.contains(&argument.as_str())) {
            eprintln!("no section is called {unknown}; there are {sections:?}");
            std::process::exit(64);
        }
        bench.then_some(Wanted { short, sections: arguments })
    }

    pub fn has(&self, section: &str) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|name| name == section)
    }
}
