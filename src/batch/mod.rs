//! When is it time to ask? On size or timeout, whichever comes first. *Not here:* what is asked (judge).
