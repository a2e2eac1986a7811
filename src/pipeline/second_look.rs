//! Single lines read a second time, with what is known of their kinds by now. Changes no counter and makes no finding.

use std::sync::Arc;

use crate::model::{LineBlock, Origin, Timestamp, clip};
use crate::parse::{Format, Plan};

use super::{Pipeline, Shown};

/// One stream that is read again.
pub struct SecondLook {
    plan: Plan,
    /// The host of its last line: it is nearly always the same.
    host: Arc<str>,
}

impl Pipeline {
    /// Begins with a stream again.
    pub fn second_look(&self, origin: &Origin) -> SecondLook {
        let forced = origin.format.as_deref().and_then(|name| Format::from_config(name).ok().flatten());
        SecondLook { plan: Plan::new(origin.medium, forced), host: Arc::clone(&self.context.host) }
    }

    /// The lines of a block that are wanted, each with its place in the block and the number its kind had
    /// ([`Passed::kind`](super::Passed::kind)).
    pub fn look_again(
        &self,
        look: &mut SecondLook,
        block: &LineBlock,
        now: Timestamp,
        wanted: impl IntoIterator<Item = (usize, u32)>,
        mut each: impl FnMut(usize, &Shown),
    ) {
        let reference = block.origin.written.unwrap_or(now);
        look.plan.prime(block.lines().map(|(bytes, _)| bytes), reference, &self.context);
        for (index, number) in wanted {
            let span = block.spans.get(index);
            let bytes = span.and_then(|span| block.bytes.get(span.start as usize..span.end as usize));
            let (Some(bytes), Some(state)) = (bytes, self.kinds.get(self.kinds.current(number))) else { continue };
            let header = look.plan.parse(bytes, reference, &self.context);
            let host = header.host.as_deref().unwrap_or(&self.context.host);
            if *host != *look.host {
                look.host = Arc::from(host);
            }
            let shown = Shown {
                host: Arc::clone(&look.host),
                kind_id: state.id,
                kind: state.kind.clone(),
                level: header.level,
                message: clip(&header.message, Shown::MAX_BYTES).to_owned(),
                incident: self.triage.speaks_of(&look.host, state.id),
            };
            each(index, &shown);
        }
    }
}
