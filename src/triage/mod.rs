//! Which findings are one fault, and how bad is it? *Not here:* who is told (route).
