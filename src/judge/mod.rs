//! What do we ask a language model, and what do we believe of its answer? *Not here:* HTTP (llm).
