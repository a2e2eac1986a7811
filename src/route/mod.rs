//! Who is told, and when? *Not here:* sending (deliver).
