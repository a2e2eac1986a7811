//! What is odd about a line, said without any model? *Not here:* severity and incidents (triage).
