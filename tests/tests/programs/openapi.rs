//! The OpenAPI document before validators that are not ours.

use std::fs;
use std::path::Path;

use servicekit_health::{Check, CheckResult};
use tokio::process::Command;

use crate::common::{Service, get, python};

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_valid_and_every_answer_keeps_to_it() {
    let Some(python) = python() else { return };
    let tagged = Check::new("disk", || async {}).tags(["storage"]);
    let routes = axum::Router::new();
    let service = Service::start_with(|builder| builder.check(tagged), routes).await;
    service.redis(CheckResult::degraded("one replica left"));
    let url = service.url("/health/$openapi");
    let files = tempfile::tempdir().unwrap();

    let document = files.path().join("openapi.json");
    fs::write(&document, get(&url).await.bytes().await.unwrap()).unwrap();
    let validator = python.with_file_name("openapi-spec-validator");
    succeeds(Command::new(validator).arg(document), files.path()).await;

    let mut schemathesis = Command::new(python.with_file_name("schemathesis"));
    schemathesis
        .args(["run", &url, "--max-examples", "30", "--request-timeout", "5", "--seed", "1"])
        // A stream has no end that a client of documents could wait for.
        .args(["--exclude-path", "/health/$stream"])
        // `check=a&exclude=a` is a 400, and no schema can say so.
        .args(["--exclude-checks", "positive_data_acceptance"]);
    succeeds(&mut schemathesis, files.path()).await;
}

async fn succeeds(command: &mut Command, directory: &Path) {
    let output = command.current_dir(directory).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
}
