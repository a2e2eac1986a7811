//! What did the operator write, and is it right? *Not here:* defaults of a room (each room's Config).
