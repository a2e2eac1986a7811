//! Where do lines come from? Readers that own bytes and offsets. *Not here:* meaning (parse).
