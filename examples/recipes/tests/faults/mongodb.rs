//! Without a server: what a port that refuses and one that is silent look like.

use std::time::Duration;

use mongodb::options::{ClientOptions, Credential, ServerAddress};
use recipes::mongodb::Mongodb;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::cell::PASSWORD;

fn deployment(port: u16) -> Mongodb {
    let password = PASSWORD.to_owned();
    let credential = Credential::builder().username("app".to_owned()).password(password).build();
    let host = ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: Some(port) };
    Mongodb::new(ClientOptions::builder().hosts(vec![host]).credential(credential).build()).unwrap()
}

/// What three runs say, each in time.
async fn three_runs(database: &Mongodb) -> Vec<String> {
    let mut messages = Vec::new();
    for _ in 0..3 {
        let asked = Instant::now();
        let message = database.check().await.unwrap_err();
        assert!(asked.elapsed() < Duration::from_millis(1200), "{:?}", asked.elapsed());
        assert!(!message.contains(PASSWORD), "{message}");
        messages.push(message);
    }
    messages
}

#[tokio::test]
async fn mongodb_that_refuses_says_so_each_time_in_the_same_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let messages = three_runs(&deployment(port)).await;
    let expected = format!(
        "MongoDB has no member to ask: 127.0.0.1:{port}: I/O error: Connection refused (os error 111)"
    );
    assert_eq!(messages, [&*expected; 3]);
}

#[tokio::test]
async fn mongodb_that_is_silent_says_so_each_time_in_the_same_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let messages = three_runs(&deployment(port)).await;
    let expected = format!(
        "MongoDB at 127.0.0.1:{port} accepts connections but does not answer within 500ms: \
         overloaded or frozen"
    );
    assert_eq!(messages, [&*expected; 3]);
}
