//! Is a value odd, in a place of a line where values are known? Watches the open places of templates: a value that is
//! new where only few are used, and a number far beyond all others. *Not here:* what a place is called; templates have
//! no names for them, so people are shown the words in front.

mod align;
mod sample;
mod few;
mod numbers;

pub use few::{Config as FewConfig, Few, NAME as FEW};
pub use numbers::{Config as NumbersConfig, NAME as NUMBERS, Numbers};
