//! Who feeds the pipeline and performs its effects? *Not here:* process life, signals, systemd (daemon).
//!
//! One loop: take an input, let the pipeline handle it, commit, then start deliveries and model calls. The only clock of
//! the house is read here.

mod clock;
mod commit;
mod crew;
mod ending;
mod model_loop;
mod replay;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use crate::deliver::Deliverers;
use crate::llm::Client;
use crate::model::{Alert, Delivery, Judged, Phase, Position, Reply, Said, SourceCounts, SourceEvent, Timestamp};
use crate::pipeline::{Counters, Effects, Input, Notice, Pipeline, Settings};
use crate::source::{FromSource, Joiner, Source};
use crate::store::Store;

pub use crew::Remake;
pub use ending::RunError;
pub use replay::{Cost, Replay, Step};

use clock::Clock;
use commit::Pending;
use crew::Crew;

/// Messages to one another's slow ends at the same time.
const DELIVERIES_AT_ONCE: usize = 8;
/// How long the drain waits for deliveries and the model before it leaves them to the next start.
const GRACE: Duration = Duration::from_secs(5);
/// The loop turns at least this often, so that the watchdog sees it live.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Old rows leave the store this often.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// The first time soon after the start, so that a daemon that never lives an hour prunes too.
const FIRST_PRUNE: Duration = Duration::from_secs(60);

/// Everything the driver drives.
pub struct Parts {
    pub pipeline: Pipeline,
    /// What restoring it led to.
    pub restored: Effects,
    pub store: Store,
    /// Positions the store knows.
    pub positions: Vec<Position>,
    pub sources: Vec<Box<dyn Source>>,
    /// For a source that crashed.
    pub remake: Remake,
    pub model: Option<Arc<Client>>,
    pub deliverers: Arc<Deliverers>,
    /// Said to whoever runs us (terminal, our log).
    pub notices: Box<dyn FnMut(&Notice) + Send>,
}

/// What a running driver can be told.
pub enum Control {
    Reload(Box<Reload>),
    /// Commit, deliver what can be delivered within the grace period, return.
    Drain,
    /// A person says something; the reply comes when it is durable.
    Answer {
        said: Box<Said>,
        reply: oneshot::Sender<Reply>,
    },
    /// Say how every source is.
    Report(oneshot::Sender<Report>),
}

/// How the driver and its sources are.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    pub status: Status,
    /// By name.
    pub sources: Vec<(Arc<str>, SourceCounts)>,
}

/// A new config, already checked and built.
pub struct Reload {
    pub settings: Settings,
    /// `None` when the sources stay as they are.
    pub sources: Option<Vec<Box<dyn Source>>>,
    /// For a source that crashes later.
    pub remake: Remake,
    pub model: Option<Arc<Client>>,
    pub deliverers: Arc<Deliverers>,
}

/// How the driver is, for STATUS= and the watchdog. Cheap to read from any thread.
#[derive(Debug, Default)]
pub struct Vitals {
    /// Turns of the loop: a commit that hangs or a pipeline that spins stops it.
    turns: AtomicU64,
    /// The sources' own signs of life.
    crew: std::sync::Mutex<Vec<(&'static str, Arc<crate::source::Pulse>)>>,
}

impl Vitals {
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Name, beats and whether it waits for the pipeline, for each source.
    pub fn sources(&self) -> Vec<(&'static str, u64, bool)> {
        let crew = self.crew.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        crew.iter().map(|(name, pulse)| (*name, pulse.beats(), pulse.waiting())).collect()
    }
}

/// One line for people, kept fresh while something happens.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Status {
    pub learning: bool,
    pub counters: Counters,
    pub templates: usize,
    pub waiting_questions: usize,
    pub not_asking_because: Option<String>,
    pub undelivered: usize,
    /// Over all sources.
    pub losses: SourceCounts,
    /// Sources that spoke regularly and are silent now.
    pub silent_sources: usize,
    /// Why nothing can be committed now, or what is not read any more.
    pub degraded: Option<String>,
}

/// `watching, 81211 lines, 412 templates, 3 questions wait (no key)`
impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(why) = &self.degraded {
            write!(f, "degraded: {why}; ")?;
        }
        let doing = if self.learning { "learning" } else { "watching" };
        write!(f, "{doing}, {} lines, {} templates", self.counters.lines, self.templates)?;
        if self.waiting_questions > 0 {
            write!(f, ", {} questions wait", self.waiting_questions)?;
            if let Some(why) = &self.not_asking_because {
                write!(f, " ({why})")?;
            }
        }
        if self.undelivered > 0 {
            write!(f, ", {} alerts undelivered", self.undelivered)?;
        }
        let SourceCounts { gaps, truncated, unreadable, .. } = self.losses;
        let losses = [
            (gaps, "gaps"),
            (truncated, "lines cut"),
            (unreadable, "times unreadable"),
            (self.silent_sources as u64, "sources silent"),
        ];
        for (count, what) in losses.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}

/// Answers from the slow ends of the house.
enum FromPeer {
    JudgeReady,
    Judged(Judged),
    Delivered(Delivery),
}

/// The loop and what it owns.
pub struct Driver {
    pipeline: Pipeline,
    pending: Pending,
    crew: Crew,
    joiner: Joiner,
    deliverers: Arc<Deliverers>,
    model: watch::Sender<Option<Arc<Client>>>,
    requests: mpsc::Sender<crate::model::JudgeRequest>,
    peers: mpsc::Receiver<FromPeer>,
    to_us: mpsc::Sender<FromPeer>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    vitals: Arc<Vitals>,
    status: watch::Sender<Status>,
    notices: Box<dyn FnMut(&Notice) + Send>,
    clock: Clock,
    prune_at: Instant,
    /// Replies that wait until what they say is durable.
    replies: Vec<(oneshot::Sender<Reply>, Reply)>,
}

impl Driver {
    /// Fixes the end of every source and commits it: when this returns, READY may be said.
    ///
    /// # Errors
    /// The first commit failed: the state cannot be written.
    pub fn start(parts: Parts) -> Result<Driver, crate::store::StoreError> {
        let Parts { pipeline, restored, store, positions, sources, remake, model, deliverers, notices } = parts;
        let vitals = Arc::new(Vitals::default());
        let mut pending = Pending::new(store, positions);
        let relearn = pipeline.learning();
        let (crew, ends) = Crew::open(sources, remake, pending.known(), relearn);
        let mut first = restored;
        ends.into_iter().for_each(|position| first.moved(position));
        pending.add(first, 0);
        pending.commit_or_fail()?;
        // Should the file be damaged in the first hour, it is known where every source stood.
        pending.copy(now());
        let (to_us, peers) = mpsc::channel(64);
        let (requests, to_model) = mpsc::channel(1);
        let (model, client) = watch::channel(model);
        let tasks = TaskTracker::new();
        tasks.spawn(model_loop::run(client, to_us.clone(), to_model));
        let status = Status {
            learning: relearn,
            templates: pipeline.templates(),
            undelivered: pipeline.undelivered(),
            ..Status::default()
        };
        Ok(Driver {
            pipeline,
            pending,
            crew,
            joiner: Joiner::default(),
            deliverers,
            model,
            requests,
            peers,
            to_us,
            slots: Arc::new(Semaphore::new(DELIVERIES_AT_ONCE)),
            tasks,
            vitals,
            status: watch::Sender::new(status),
            notices,
            clock: Clock::new(now(), Instant::now()),
            prune_at: Instant::now() + FIRST_PRUNE,
            replies: Vec::new(),
        })
    }

    pub fn vitals(&self) -> Arc<Vitals> {
        Arc::clone(&self.vitals)
    }

    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Runs until told to drain or until every source has ended. Must run on a multi-threaded runtime: commits block.
    ///
    /// # Errors
    /// The last commit failed, the state file broke, or every source crashed.
    pub async fn run(mut self, mut control: mpsc::Receiver<Control>) -> Result<Status, RunError> {
        self.crew.start(&self.vitals.crew);
        loop {
            self.vitals.turns.fetch_add(1, Ordering::Relaxed);
            let wake = self.wake_at();
            let taking_lines = self.pending.has_room();
            if !taking_lines {
                let now = self.now();
                self.pipeline.deaf(now);
            }
            tokio::select! {
                biased;
                told = control.recv() => match told {
                    Some(Control::Reload(reload)) => self.reload(*reload).await,
                    Some(Control::Drain) | None => break,
                    Some(Control::Report(to)) => self.report(to),
                    Some(Control::Answer { said, reply }) => self.answer(*said, reply),
                },
                Some(answer) = self.peers.recv() => self.peer(answer),
                message = self.crew.next(), if taking_lines => match message {
                    Some(message) => self.source(message),
                    None => match self.crew.crashed() {
                        None => break,
                        Some(names) => {
                            self.drain().await?;
                            return Err(RunError::NoSources(names));
                        }
                    },
                },
                () = tokio::time::sleep_until(wake.into()) => drop(self.feed(Input::Tick, 0)),
            }
            let ends = self.crew.begin_again(self.pending.known(), Instant::now());
            self.stand(ends);
            self.flush_joined(false);
            self.commit_and_perform();
            if let Some(error) = self.pending.broken() {
                return Err(RunError::Broken(error));
            }
            if self.crew.ended() {
                break;
            }
        }
        self.drain().await
    }

    fn source(&mut self, message: FromSource) {
        let mut whole = Vec::new();
        self.joiner.feed(message, Instant::now(), &mut whole);
        whole.into_iter().for_each(|message| self.whole(message));
    }

    /// Records that have waited long enough for more lines, or `all` of them.
    fn flush_joined(&mut self, all: bool) {
        let mut whole = Vec::new();
        match all {
            true => self.joiner.flush(&mut whole),
            false => self.joiner.flush_due(Instant::now(), &mut whole),
        }
        whole.into_iter().for_each(|message| self.whole(message));
    }

    fn whole(&mut self, message: FromSource) {
        match message {
            FromSource::Lines(block) => {
                let bytes = block.bytes.len();
                self.feed(Input::Lines(&block), bytes);
            }
            FromSource::Event(event) => {
                if let SourceEvent::Learned { .. } = event
                    && self.crew.one_learned()
                {
                    self.feed(Input::Learned, 0);
                }
                if let SourceEvent::Ended { .. } = event {
                    self.crew.one_ended();
                }
                self.crew.heard(&event, Instant::now());
                self.feed(Input::Source(event), 0);
            }
        }
    }

    fn peer(&mut self, answer: FromPeer) {
        let input = match answer {
            FromPeer::JudgeReady => Input::JudgeReady,
            FromPeer::Judged(judged) => Input::Judged(judged),
            FromPeer::Delivered(delivery) => Input::Delivered(delivery),
        };
        self.feed(input, 0);
    }

    fn answer(&mut self, said: Said, to: oneshot::Sender<Reply>) {
        if let Some(reply) = self.feed(Input::Answered(said), 0) {
            self.replies.push((to, reply));
        }
    }

    fn feed(&mut self, input: Input<'_>, bytes: usize) -> Option<Reply> {
        let mut effects = Effects::default();
        let now = self.now();
        self.pipeline.handle(input, now, &mut effects);
        for notice in effects.notices.drain(..) {
            (self.notices)(&notice);
        }
        let reply = effects.reply.take();
        self.pending.add(effects, bytes);
        reply
    }

    /// Commits when it is time to; what was committed may then have its effects.
    fn commit_and_perform(&mut self) {
        if self.pending.due(Instant::now()) {
            // SQLite blocks: other tasks move to another thread meanwhile.
            tokio::task::block_in_place(|| self.pending.commit());
        }
        if let Some((request, alerts)) = self.pending.take_committed() {
            self.pipeline.committed();
            if let Some(request) = request
                && self.requests.try_send(request).is_err()
            {
                tracing::error!("the model loop is gone; questions wait for the next start");
            }
            alerts.into_iter().for_each(|alert| self.deliver(alert));
        }
        if self.pending.is_empty() {
            for (to, reply) in self.replies.drain(..) {
                // Whoever asked may have lost patience.
                let _ = to.send(reply);
            }
        }
        if self.pending.is_empty() && Instant::now() >= self.prune_at {
            self.prune_at = Instant::now() + PRUNE_EVERY;
            let now = self.now();
            tokio::task::block_in_place(|| {
                self.pending.prune(now);
                self.pending.copy(now);
            });
        }
        let now = self.now();
        let (waiting_questions, not_asking_because) = self.pipeline.waiting_questions(now);
        let status = Status {
            learning: self.pipeline.learning(),
            counters: self.pipeline.counters(),
            templates: self.pipeline.templates(),
            waiting_questions,
            not_asking_because,
            undelivered: self.pipeline.undelivered(),
            losses: self.pipeline.losses(),
            silent_sources: self.pipeline.silent_sources(),
            degraded: self
                .pending
                .trouble()
                .or_else(|| self.crew.crashed().map(|names| format!("the reader of {names} crashed; see the log"))),
        };
        self.status.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
    }

    fn report(&self, to: oneshot::Sender<Report>) {
        let report = Report { status: self.status.borrow().clone(), sources: self.pipeline.sources() };
        // Whoever asked may have lost patience.
        let _ = to.send(report);
    }

    fn deliver(&mut self, alert: Alert) {
        let (deliverers, slots, to_us) = (Arc::clone(&self.deliverers), Arc::clone(&self.slots), self.to_us.clone());
        self.tasks.spawn(async move {
            // The semaphore is never closed.
            let Ok(_slot) = slots.acquire().await else { return };
            let delivery = deliverers.deliver(alert).await;
            // A closed channel means we are past the drain: the alert stays in the outbox.
            let _ = to_us.send(FromPeer::Delivered(delivery)).await;
        });
    }

    async fn reload(&mut self, reload: Reload) {
        let Reload { settings, sources, remake, model, deliverers } = reload;
        self.crew.remake_by(remake);
        self.deliverers = deliverers;
        self.model.send_replace(model);
        self.feed(Input::Reload(Box::new(settings)), 0);
        if let Some(sources) = sources {
            for message in self.crew.stop().await {
                self.source(message);
            }
            self.flush_joined(true);
            // Blocks of the old sources end before the new ones begin; the next turn tries again what fails here.
            tokio::task::block_in_place(|| self.pending.commit());
            let ends = self.crew.reopen(sources, self.pending.known(), self.pipeline.learning());
            self.stand(ends);
            self.crew.start(&self.vitals.crew);
        }
    }

    /// Commits with the next lines where sources stand.
    fn stand(&mut self, ends: Vec<Position>) {
        let mut effects = Effects::default();
        ends.into_iter().for_each(|position| effects.moved(position));
        self.pending.add(effects, 0);
    }

    async fn drain(&mut self) -> Result<Status, RunError> {
        for message in self.crew.stop().await {
            // A baseline that is cut short is learned anew at the next start: what is left of it need not be read.
            if !self.pipeline.learning() || !teaches(&message) {
                self.source(message);
            }
        }
        self.flush_joined(true);
        self.feed(Input::Drain, 0);
        self.pending.commit_or_fail().map_err(RunError::Commit)?;
        self.commit_and_perform();
        // Deliveries under way may finish; what does not is tried again at the next start.
        let end = tokio::time::Instant::now() + GRACE;
        while self.pipeline.deliveries_under_way() > 0 || self.pipeline.asking() {
            self.vitals.turns.fetch_add(1, Ordering::Relaxed);
            match tokio::time::timeout_at(end, self.peers.recv()).await {
                Ok(Some(answer)) => self.peer(answer),
                Ok(None) | Err(_) => break,
            }
            self.commit_and_perform();
        }
        self.pending.commit_or_fail().map_err(RunError::Commit)?;
        self.commit_and_perform();
        let last = self.status.borrow().clone();
        Ok(last)
    }

    fn now(&mut self) -> Timestamp {
        self.clock.read(now(), Instant::now())
    }

    fn wake_at(&mut self) -> Instant {
        let now = self.now();
        let by_pipeline = self.pipeline.next_deadline().map(|at| Instant::now() + at.since(now));
        let latest = Instant::now() + HEARTBEAT;
        [by_pipeline, self.pending.due_at(), self.crew.next_beginning(), self.joiner.deadline()]
            .into_iter()
            .flatten()
            .fold(latest, Instant::min)
    }
}

fn teaches(message: &FromSource) -> bool {
    match message {
        FromSource::Lines(block) => block.phase == Phase::Learn,
        FromSource::Event(event) => matches!(event, SourceEvent::Learned { .. }),
    }
}

/// The wall clock of the house. Everything else is told.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
