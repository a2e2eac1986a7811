//! `components`: what is built in. Lists the registries of the rooms; knows no part by name.

use std::io::Write;

use crate::{deliver, detect, exit, llm, parse, source};

pub fn run() -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    let parts = source::COMPONENTS
        .iter()
        .map(|part| (part.role, part.name, part.does))
        .chain(parse::Format::ALL.iter().map(|format| ("format", format.name(), format.description())))
        .chain(detect::COMPONENTS.iter().map(|part| (part.role, part.name, part.does)))
        .chain(llm::BACKENDS.iter().map(|part| (part.role, part.name, part.does)))
        .chain(deliver::COMPONENTS.iter().map(|part| (part.role, part.name, part.does)));
    for (role, name, does) in parts {
        writeln!(out, "{role:<9} {name:<14} {does}")?;
    }
    Ok(exit::OK)
}
