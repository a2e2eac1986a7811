//! What can be typed? *Not here:* work (the rooms).
