//! The way of one run: what is normal, then the lines, the model's questions, a second look, the files. Adds nothing up and
//! reads no file itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::{Period, Timestamp};
use crate::parse;
use crate::pipeline::{Effects, Pipeline, Settings};

use super::ahead::Turns;
use super::engine::Engine;
use super::feed::{Feed, Inputs, Watch};
use super::inputs::{self, Input};
use super::options::Options;
use super::spool::Stdin;
use super::{Event, Listener, chunk, finish, judge, output, rows, stream};

/// Lines of each input that teach what is normal, where nothing else does: a tenth of it, within these.
const LEAST_LEARNED: u64 = 200;
const MOST_LEARNED: u64 = 100_000;

/// Reads everything and writes the files.
pub fn run(
    options: &mut Options,
    inputs: &[Input],
    baseline: &[Input],
    stop: &Arc<AtomicBool>,
    listen: &mut Listener,
) -> anyhow::Result<finish::Finished> {
    let model = judge::model(&mut options.config, options.judge, inputs)?;
    if let Some(said) = &model.said {
        listen(Event::Note(said));
    }
    let mut settings = settings(options, &model)?;
    let context = parse::Context { zone: settings.zone.clone(), host: Arc::clone(&settings.host) };
    let redactor = Arc::clone(&settings.redactor);
    let own_beginning = options.since.is_none() && baseline.is_empty();
    // The lines that teach are analyzed afterwards: rules must not count them twice.
    let rules = own_beginning.then(|| std::mem::take(&mut settings.rules));
    let with_rules = rules.map(|rules| Settings { rules, ..settings.clone() });
    let mut state = output::State::open(&options.config, model.client.is_some());
    let mut pipeline = Pipeline::new(settings);
    pipeline.on_event_time();
    if let Some(snapshot) = state.take_snapshot() {
        pipeline.restore(snapshot, crate::driver::now(), &mut Effects::default());
    }
    let names = inputs.iter().map(Input::name).collect();
    let mut engine = Engine::new(pipeline, names, context.zone.clone())?;
    engine.remarks.append(&mut state.problems);

    let needs_stdin = inputs.contains(&Input::Stdin) || baseline.contains(&Input::Stdin);
    let stdin = needs_stdin.then(|| Stdin::new(Box::new(std::io::stdin()), Arc::clone(stop))).transpose()?;
    let read = Arc::new(AtomicU64::new(0));
    let sizes = Arc::new(inputs::sizes_of(inputs.iter().chain(baseline)));
    let now = crate::driver::now();
    let all = |inputs: &[Input], read: &Arc<AtomicU64>| Inputs {
        inputs: inputs.to_vec(),
        stdin: stdin.clone(),
        context: context.clone(),
        now,
        format: options.format.clone(),
        sizes: Arc::clone(&sizes),
        read: Arc::clone(read),
    };
    let unread = Arc::new(AtomicU64::new(0));
    teach(&mut engine, options, &all(baseline, &unread), &all(inputs, &unread), stop);
    if let Some(settings) = with_rules {
        engine.reload(settings);
    }
    watch(&mut engine, options, &all(inputs, &read), stop, listen)?;
    engine.end_of_lines();
    if let Some(client) = model.client.as_ref().filter(|_| !stop.load(Ordering::Relaxed)) {
        listen(Event::Busy("asking the model"));
        judge::ask(&mut engine, client, stop)?;
    }
    engine.collector.settle();
    for incident in engine.collector.take_fresh() {
        listen(Event::Found(incident));
    }
    let second = engine.needs_second_pass() && !stop.load(Ordering::Relaxed);
    let rows = if second {
        listen(Event::Busy("reading again what was passed over"));
        Some(again(&mut engine, options, &all(inputs, &unread))?)
    } else {
        None
    };
    engine.metrics.bytes = read.load(Ordering::Relaxed);
    if stop.load(Ordering::Relaxed) {
        engine.problems.push("interrupted: what was read until then is reported".to_owned());
    }
    state.keep(&mut engine);
    finish::finish(engine, rows, options, &context, &redactor, model.none_because.as_deref())
}

/// The pipeline's part of the config, for looking back.
fn settings(options: &Options, model: &judge::Model) -> anyhow::Result<Settings> {
    let mut settings = crate::daemon::settings(&options.config)?;
    if let Some(client) = &model.client {
        crate::daemon::framed(&mut settings, client);
    }
    settings.no_judge = model.none_because.as_deref().map(Arc::from);
    // An incident is one incident however long it was silent.
    settings.triage.quiet_after = Period::from_secs(200 * 365 * 86_400);
    // Lines of a process with our number are not ours.
    settings.own_pid = 0;
    Ok(settings)
}

/// What is normal: the baseline files, the lines before `--since`, or the beginning of each input.
fn teach(engine: &mut Engine, options: &Options, baseline: &Inputs, inputs: &Inputs, stop: &AtomicBool) {
    let mut feed = Feed::new(baseline.clone());
    while let Some(turn) = feed.next().filter(|_| !stop.load(Ordering::Relaxed)) {
        engine.learn(turn.chunk);
    }
    for (input, error) in feed.take_failed() {
        let name = baseline.inputs.get(input).map(Input::name).unwrap_or_default();
        engine.problems.push(format!("the baseline {name} could not be read to its end: {error}"));
    }
    if let Some(since) = options.since {
        let mut feed = Feed::new(inputs.clone());
        let mut watches = Watches::new(inputs);
        while let Some(mut turn) = feed.next().filter(|_| !stop.load(Ordering::Relaxed)) {
            watches.retain(turn.input, &mut turn.chunk, |time| time.is_some_and(|time| time < since));
            if !turn.chunk.block.spans.is_empty() {
                engine.learn(turn.chunk);
            }
        }
    } else if baseline.inputs.is_empty() {
        for input in &inputs.inputs {
            teach_beginning(engine, &Inputs { inputs: vec![input.clone()], ..inputs.clone() });
        }
    }
    engine.learned();
}

/// A tenth of each file of an input. What cannot be read is said when the lines are.
fn teach_beginning(engine: &mut Engine, input: &Inputs) {
    let Some(one) = input.inputs.first() else { return };
    let Ok(mut stream) = stream::Stream::open(one, input, &input.read) else { return };
    let (mut name, mut lines, mut bytes) = (None, 0, 0u64);
    while let Ok(Some(mut chunk)) = stream.next() {
        if name.as_ref() != Some(&chunk.block.origin.name) {
            name = Some(Arc::clone(&chunk.block.origin.name));
            (lines, bytes) = (0, 0);
        }
        let in_chunk = chunk.block.spans.len() as u64;
        let chunk_bytes = chunk.block.bytes.len() as u64;
        // How many lines a tenth of the file is, as far as can be told by the lines so far.
        let all_lines = (lines + in_chunk).saturating_mul(stream.expected()) / (bytes + chunk_bytes).max(1);
        let enough = (all_lines / 10).clamp(LEAST_LEARNED, MOST_LEARNED);
        let room = usize::try_from(enough.saturating_sub(lines)).unwrap_or(usize::MAX);
        let is_last = in_chunk >= room as u64;
        chunk.retain(|index| index < room);
        lines += chunk.block.spans.len() as u64;
        bytes += chunk_bytes;
        if !chunk.block.spans.is_empty() {
            engine.learn(chunk);
        }
        if is_last && !stream.skip_file() {
            break;
        }
    }
}

/// The lines themselves.
fn watch(
    engine: &mut Engine,
    options: &Options,
    inputs: &Inputs,
    stop: &AtomicBool,
    listen: &mut Listener,
) -> anyhow::Result<()> {
    let total = inputs::total(&inputs.inputs, &inputs.sizes);
    let mut turns = Turns::new(inputs, options.threads)?;
    let mut watches = Watches::new(inputs);
    while !stop.load(Ordering::Relaxed) {
        let Some(mut turn) = turns.next() else { break };
        let before = turn.chunk.block.spans.len();
        watches.retain_wanted(options, turn.input, &mut turn.chunk);
        let outside = (before - turn.chunk.block.spans.len()) as u64;
        engine.live(&turn.chunk, turn.input, outside)?;
        for incident in engine.collector.take_fresh() {
            listen(Event::Found(incident));
        }
        listen(Event::Reading { bytes: inputs.read.load(Ordering::Relaxed), total, lines: engine.metrics.lines });
    }
    let mut feed = turns.end();
    for (input, remarks) in feed.take_remarks() {
        engine.metrics.bytes_dropped += remarks.dropped;
        engine.metrics.binary_files += remarks.binary;
        let name = inputs.inputs.get(input).map(Input::name).unwrap_or_default();
        let many = remarks.problems.len();
        for problem in remarks.problems.into_iter().take(20) {
            engine.remark(format!("{name}: {problem}"));
        }
        if many > 20 {
            engine.remark(format!("{name}: and {} more like these", many - 20));
        }
    }
    for (input, error) in feed.take_failed() {
        let name = inputs.inputs.get(input).map(Input::name).unwrap_or_default();
        let read = engine.inputs.get(input).map_or(0, |input| input.lines);
        let problem = match (error.kind(), read) {
            (std::io::ErrorKind::UnexpectedEof, _) => {
                format!("{name} ends in the middle (half-written or cut): the {read} lines before that were analyzed")
            }
            (_, 0) => format!("{name} could not be read: {error}"),
            (_, _) => {
                format!("{name} could not be read to its end: {error}; the {read} lines before that were analyzed")
            }
        };
        if let Some(input) = engine.inputs.get_mut(input) {
            input.problem.clone_from(&problem);
        }
        engine.problems.push(problem);
    }
    Ok(())
}

/// The second pass: rows of kinds that turned out to be anomalous after their lines had passed.
fn again(engine: &mut Engine, options: &Options, inputs: &Inputs) -> anyhow::Result<rows::Rows> {
    let mut rows = rows::Rows::new()?;
    let mut trail = engine.collector.trail_mut().read()?;
    let wanted = engine.collector.wanted();
    let mut turns = Turns::new(inputs, options.threads)?;
    let mut watches = Watches::new(inputs);
    let mut looks = HashMap::new();
    let mut steps = Vec::new();
    for number in 0.. {
        if !trail.next(&mut steps)? {
            break;
        }
        let Some(mut turn) = turns.next() else { break };
        watches.retain_wanted(options, turn.input, &mut turn.chunk);
        let origin = Arc::clone(&turn.chunk.block.origin);
        let look = looks.entry(Arc::clone(&origin.name)).or_insert_with(|| engine.pipeline.second_look(&origin));
        engine.look_again(look, (&turn.chunk, number, &steps), &wanted, &mut rows)?;
    }
    Ok(rows)
}

/// The times of the lines of every input, where lines are chosen by them.
struct Watches {
    context: parse::Context,
    watches: Vec<Watch>,
}

impl Watches {
    fn new(inputs: &Inputs) -> Watches {
        let watches = inputs.inputs.iter().map(|_| Watch::default()).collect();
        Watches { context: inputs.context.clone(), watches }
    }

    fn retain(&mut self, input: usize, chunk: &mut chunk::Chunk, wanted: impl Fn(Option<Timestamp>) -> bool) {
        let Some(watch) = self.watches.get_mut(input) else { return };
        let times = watch.each(chunk, &self.context);
        chunk.retain(|index| wanted(times.get(index).copied().flatten()));
    }

    fn retain_wanted(&mut self, options: &Options, input: usize, chunk: &mut chunk::Chunk) {
        if options.since.is_none() && options.until.is_none() {
            return;
        }
        // A line without any time is looked at rather than lost.
        self.retain(input, chunk, |time| {
            time.is_none_or(|time| {
                options.since.is_none_or(|since| time >= since) && options.until.is_none_or(|until| time < until)
            })
        });
    }
}
