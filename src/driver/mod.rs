//! Who feeds the pipeline and performs its effects? *Not here:* process life (daemon).
