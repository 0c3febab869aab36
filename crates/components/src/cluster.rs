//! An OpenBao as in production: Raft storage, sealed at its start, an active server and a standby.

use std::{
    fmt,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{Server, Start};

const NODE: &str = r#"
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{next_port}"
storage "raft" {
  path = "."
  node_id = "{port}"
  performance_multiplier = 1
}
listener "tcp" {
  address = "127.0.0.1:{port}"
  tls_disable = true
}
"#;

/// Two servers of one cluster. KV version 2 is at `secret/`.
pub struct BaoCluster {
    active: Server,
    standby: Server,
    root_token: String,
}

/// A fresh cluster whose standby answers reads.
pub fn bao_cluster() -> BaoCluster {
    let active = node();
    let made = put(&active, "sys/init", "", &json!({ "secret_shares": 1, "secret_threshold": 1 }));
    let root_token = made["root_token"].as_str().unwrap().to_owned();
    let key = json!({ "key": made["keys"][0] });
    put(&active, "sys/unseal", "", &key);
    active.wait_for(&["acquired lock, enabling active operation", "post-unseal setup complete"]);
    // Before there is a standby: it would have to wait until the active server has prepared the mount.
    put(&active, "sys/mounts/secret", &root_token, &json!({ "type": "kv", "options": { "version": "2" } }));
    active.wait_for(&["upgrading keys finished"]);

    let standby = node();
    put(&standby, "sys/storage/raft/join", "", &json!({ "leader_api_addr": active.address() }));
    put(&standby, "sys/unseal", "", &key);
    standby.wait_for(&["entering read-enabled standby mode", "post-unseal setup complete"]);
    BaoCluster { active, standby, root_token }
}

impl BaoCluster {
    pub fn active(&self) -> &Server {
        &self.active
    }

    pub fn standby(&self) -> &Server {
        &self.standby
    }

    pub fn root_token(&self) -> &str {
        &self.root_token
    }
}

impl fmt::Debug for BaoCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaoCluster({:?}, {:?})", self.active, self.standby)
    }
}

fn node() -> Server {
    Start::new("bao")
        .file("node.hcl", NODE)
        .arguments(["server", "-config=node.hcl"])
        .ready_when("server started!")
        .start()
}

fn put(server: &Server, path: &str, token: &str, body: &Value) -> Value {
    let (host, body) = (format!("127.0.0.1:{}", server.port()), body.to_string());
    let mut stream = TcpStream::connect(&host).unwrap();
    let head = format!(
        "PUT /v1/{path} HTTP/1.0\r\nhost: {host}\r\nx-vault-token: {token}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split_whitespace().nth(1).unwrap();
    assert!(matches!(status, "200" | "204"), "{path}: {answer}\n{}", server.output());
    serde_json::from_str(body).unwrap_or_default()
}
