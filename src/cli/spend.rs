//! `spend`: what the model has cost, by day and model, and how much of today's caps is left. Changes nothing.

use std::io::Write;

use serde::Serialize;

use crate::config::Config;
use crate::judge::{day_name, next_day};
use crate::llm;
use crate::model::inert::one_line;
use crate::model::{Timestamp, Usage};
use crate::store::{DaySpend, Reader, StoreError};
use crate::{driver, exit};

use super::args::Spend;
use super::place;

/// One model on one UTC day.
#[derive(Serialize)]
struct Row {
    day: String,
    model: String,
    requests: u64,
    input_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    /// By today's price list; null for a model without a price.
    usd: Option<f64>,
}

/// Today against the caps; a cap of 0 is none.
#[derive(Serialize)]
struct Today {
    tokens: u64,
    daily_tokens: u64,
    usd: f64,
    daily_usd: f64,
    /// When the day of the caps ends.
    until: Timestamp,
}

#[derive(Serialize)]
struct Spent {
    days: Vec<Row>,
    today: Today,
}

pub fn run(spend: &Spend) -> anyhow::Result<u8> {
    let config = place::config(&spend.place)?;
    let now = driver::now();
    let mut out = std::io::stdout().lock();
    let from = spend.since.map(|period| day_name(now.saturating_sub(period.0)));
    let rows = match Reader::open(&config.state_dir) {
        Ok(reader) => reader.spend(from.as_deref())?,
        // Nobody was asked anything.
        Err(StoreError::Missing { .. }) => Vec::new(),
        Err(error) => return Err(place::cannot_look(&config.state_dir, error)),
    };
    let spent = sum(&config, rows, now);
    if spend.json {
        serde_json::to_writer_pretty(&mut out, &spent)?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    if spent.days.is_empty() {
        writeln!(out, "no model was asked")?;
    } else {
        writeln!(
            out,
            "{:<10}  {:<32}  {:>8}  {:>12}  {:>12}  {:>10}",
            "DAY", "MODEL", "REQUESTS", "TOKENS IN", "TOKENS OUT", "USD"
        )?;
    }
    for row in &spent.days {
        writeln!(
            out,
            "{:<10}  {:<32}  {:>8}  {:>12}  {:>12}  {:>10}",
            row.day,
            one_line(&row.model),
            row.requests,
            row.input_tokens,
            row.output_tokens,
            row.usd.map_or("no price".to_owned(), |usd| format!("{usd:.4}"))
        )?;
    }
    let Today { tokens, daily_tokens, usd, daily_usd, until } = spent.today;
    let of_tokens = if daily_tokens == 0 { String::new() } else { format!(" of {daily_tokens}") };
    let of_usd = if daily_usd == 0.0 { String::new() } else { format!(" of {daily_usd:.2}") };
    writeln!(out, "today: {tokens}{of_tokens} tokens, ${usd:.4}{of_usd}; the next day begins at {until}")?;
    Ok(exit::OK)
}

fn sum(config: &Config, rows: Vec<DaySpend>, now: Timestamp) -> Spent {
    let today = day_name(now);
    let mut spent_today = Today {
        tokens: 0,
        daily_tokens: config.judge.daily_tokens,
        usd: 0.0,
        daily_usd: config.judge.daily_usd,
        until: next_day(now),
    };
    let mut days = Vec::with_capacity(rows.len());
    for DaySpend { day, model, usage } in rows {
        let usd = llm::cost_usd(&config.llm, &model, &usage);
        if day == today {
            spent_today.tokens =
                spent_today.tokens.saturating_add(usage.input_tokens).saturating_add(usage.output_tokens);
            spent_today.usd += usd.unwrap_or(0.0);
        }
        let Usage { requests, input_tokens, output_tokens, cached_tokens } = usage;
        days.push(Row { day, model, requests, input_tokens, cached_tokens, output_tokens, usd });
    }
    Spent { days, today: spent_today }
}
