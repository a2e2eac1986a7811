//! Which exit code means what (DESIGN section 5.1).
