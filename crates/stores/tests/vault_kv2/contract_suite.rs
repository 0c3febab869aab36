//! The suite that every store runs.

use contract::store::StoreFixture;
use driver::Method;
use serde_json::json;

use super::*;

/// Every check on a mount of its own.
async fn keeps_the_contract(readable: bool) {
    let stage = Arc::new(Stage::new());
    let number = std::cell::Cell::new(0);
    contract::store::check_all(async || {
        number.set(number.get() + 1);
        let mount = format!("team/kv{}", number.get());
        let body = json!({ "type": "kv", "options": { "version": "2" } });
        stage.by_hand(Method::Post, &format!("sys/mounts/{mount}"), body).await;
        let keys = format!("mount = \"{mount}\"\nreadable = {readable}\n{}", with_token(stage.bao.root_token()));
        let keyring = stage.keyring.clone();
        let fingerprint = Box::new(move |value: &SecretMap| keyring.fingerprint(value));
        StoreFixture { store: stage.store(&keys), fingerprint, kept: Box::new(stage.clone()) }
    })
    .await;
}

#[tokio::test]
async fn it_keeps_the_contract() {
    keeps_the_contract(true).await;
}

#[tokio::test]
async fn it_keeps_the_contract_without_reading_values() {
    keeps_the_contract(false).await;
}
