//! The OpenAPI document before validators that are not ours.

use std::fs;
use std::process::Command;

use servicekit_health::HealthState::Degraded;

use crate::common::{Service, ask, folder, program};

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_valid_and_every_answer_keeps_to_it() {
    let Some(validator) = program("openapi-spec-validator") else { return };
    let Some(schemathesis) = program("schemathesis") else { return };
    let service = Service::start(|app| app).await;
    service.set(Degraded);
    let address = service.address;
    let folder = folder("openapi");
    let checked = tokio::task::spawn_blocking(move || {
        let answer = ask(address.port(), "GET /health/$openapi HTTP/1.0");
        let (_, document) = answer.split_once("\r\n\r\n").unwrap();
        let file = folder.join("openapi.json");
        fs::write(&file, document).unwrap();
        succeeds(Command::new(validator).arg(file));

        succeeds(
            Command::new(schemathesis)
                .current_dir(&folder)
                .arg("run")
                .arg(format!("http://{address}/health/$openapi"))
                .args(["--max-examples", "30", "--request-timeout", "5", "--seed", "1"])
                // A stream has no end that a client of documents could wait for.
                .args(["--exclude-path", "/health/$stream"])
                // `check=a&exclude=a` is a 400, and no schema can say so.
                .args(["--exclude-checks", "positive_data_acceptance"]),
        );
    });
    checked.await.unwrap();
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
}
