//! Campaigns: everything that a leak exposed, replaced at once, down to an account that adds up.

use domain::{CredentialId, DeathEvidence, Timestamp, VersionNumber};

use crate::{Db, ReadError, Row, Rows, Unit, Word, WriteError, decisions::compromised, values, words::parse_evidence};

/// Members written in one unit: enough to share a sync, few enough that other writers are not kept waiting.
const MEMBERS_PER_UNIT: usize = 200;

/// What a leak may have exposed.
#[derive(Debug, Clone, Copy)]
pub struct Exposure<'a> {
    /// Only what was delivered to this store.
    pub store: Option<&'a str>,
    /// Only what was not proved dead before this moment.
    pub since: Option<Timestamp>,
}

/// One version that a leak may have exposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    pub credential_id: i64,
    pub credential: CredentialId,
    pub version: VersionNumber,
    /// Still to be replaced or proved dead.
    pub live: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    pub id: i64,
    pub by: String,
    pub reason: String,
    pub started_at: Timestamp,
    pub store: Option<String>,
    pub since: Option<Timestamp>,
}

/// Where one exposed version stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub credential: CredentialId,
    pub version: VersionNumber,
    pub fate: MemberFate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberFate {
    ProvedDead {
        /// It was tried and refused. Otherwise the platform's own record is all there is: its secret was never here.
        tried: bool,
    },
    /// Nothing could prove it: a person says that it is removed, and answers for it.
    OnWord {
        by: String,
    },
    /// Ended, and still to be proved.
    Revoked,
    /// Somebody else removed it at the platform, and its secret was never in our hands: nothing can try it.
    Gone,
    /// Consumers read a successor; the exposed version is still alive.
    Replaced,
    /// A person keeps it as it is, and answers for it.
    Held {
        by: String,
        reason: String,
    },
    Protected,
    /// Nothing of ours, or without a policy: nobody has told Keyrota to look after it.
    Untouched,
    Parked {
        error: String,
    },
    Waiting,
}

impl Db {
    /// Every version that may have been exposed, whether it lives or not.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn exposed(&self, exposure: Exposure<'_>) -> Result<Vec<Exposed>, ReadError> {
        let sql = "SELECT c.id, c.credential, v.number, v.dead_at IS NULL AND v.presence <> 'gone'
            FROM credential c JOIN version v ON v.credential_id = c.id
            WHERE v.presence <> 'prepared' AND (v.dead_at IS NULL OR v.dead_at >= $2)
                AND (CAST($1 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM delivery d
                    WHERE d.credential_id = c.id AND d.version = v.number AND d.store = $1))
            ORDER BY c.id, v.number";
        self.rows(sql, values![exposure.store, exposure.since], |row| {
            Ok(Exposed {
                credential_id: row.get(0)?,
                credential: row.parse(1, CredentialId::parse)?,
                version: VersionNumber(row.get(2)?),
                live: row.get(3)?,
            })
        })
        .await
    }

    /// Opens a campaign over these versions and asks for the replacement of every credential of which one lives.
    ///
    /// # Errors
    /// Those of the database; what was written of it is completed by asking again.
    pub async fn open_campaign(
        &self,
        exposure: Exposure<'_>,
        exposed: &[Exposed],
        word: Word<'_>,
    ) -> Result<i64, OpenCampaignError> {
        let last = self.row("SELECT coalesce(max(id), 0) FROM campaign", values![], |row| row.get::<i64>(0)).await?;
        let id = last.unwrap_or_default() + 1;
        let sql = "INSERT INTO campaign (id, who, reason, started_at, store, since) VALUES ($1, $2, $3, $4, $5, $6)";
        let values = values![id, word.by, word.reason, word.at, exposure.store, exposure.since];
        self.write(Unit::new().run(sql, values, Rows::Exactly(1))).await?;
        for chunk in exposed.chunks(MEMBERS_PER_UNIT) {
            let mut unit = Unit::new();
            let mut asked = None;
            for one in chunk {
                let sql = "INSERT INTO campaign_member (campaign_id, credential_id, version) VALUES ($1, $2, $3)";
                unit = unit.run(sql, values![id, one.credential_id, one.version.0], Rows::Exactly(1));
                if one.live && asked != Some(one.credential_id) {
                    asked = Some(one.credential_id);
                    unit = unit.and(compromised(one.credential_id, word));
                }
            }
            self.write(unit).await?;
        }
        Ok(id)
    }

    /// All campaigns, the newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn campaigns(&self) -> Result<Vec<Campaign>, ReadError> {
        let sql = "SELECT id, who, reason, started_at, store, since FROM campaign ORDER BY id DESC";
        self.rows(sql, values![], |row| {
            Ok(Campaign {
                id: row.get(0)?,
                by: row.get(1)?,
                reason: row.get(2)?,
                started_at: row.get(3)?,
                store: row.get(4)?,
                since: row.get(5)?,
            })
        })
        .await
    }

    /// The account of a campaign: every version that was exposed, and where it stands.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn campaign_members(&self, id: i64) -> Result<Vec<Member>, ReadError> {
        let sql =
            "SELECT c.credential, m.version, v.dead_at IS NOT NULL, v.revoked_at IS NOT NULL OR v.presence = 'gone',
                c.protected, c.hold_by, c.hold_reason, c.parked, c.error, c.stray,
                EXISTS (SELECT 1 FROM version n WHERE n.credential_id = c.id AND n.number > m.version
                    AND n.origin = 'issued' AND n.verified_at IS NOT NULL)
                    AND (c.rotation_id IS NULL OR EXISTS (SELECT 1 FROM delivery d WHERE d.credential_id = c.id
                        AND d.rotation_id = c.rotation_id AND d.promoted_at IS NOT NULL)),
                c.rotation_id IS NOT NULL OR c.request_cause IS NOT NULL,
                v.presence = 'gone' AND v.revoked_at IS NULL AND v.sealed IS NULL
                    AND c.rotation_from IS DISTINCT FROM v.number,
                v.dead_by,
                (SELECT t.ended_by FROM task t WHERE t.credential_id = v.credential_id AND t.ask = 'revoke'
                    AND t.version = v.number AND t.ended_by IS NOT NULL ORDER BY t.id DESC LIMIT 1)
            FROM campaign_member m JOIN credential c ON c.id = m.credential_id
            JOIN version v ON v.credential_id = m.credential_id AND v.number = m.version
            WHERE m.campaign_id = $1 ORDER BY c.credential, m.version";
        self.rows(sql, values![id], |row| {
            Ok(Member {
                credential: row.parse(0, CredentialId::parse)?,
                version: VersionNumber(row.get(1)?),
                fate: fate(row)?,
            })
        })
        .await
    }
}

fn fate(row: &Row<'_>) -> Result<MemberFate, ReadError> {
    let flag = |column: usize| row.get::<bool>(column);
    let ended = flag(3)?;
    if flag(2)? {
        // What was proved before that was written down counts as on record.
        let evidence = match row.get::<Option<&str>>(13)? {
            Some(_) => row.parse(13, parse_evidence)?,
            None => DeathEvidence::Record,
        };
        return Ok(match evidence {
            DeathEvidence::Word => MemberFate::OnWord { by: row.get::<Option<String>>(14)?.unwrap_or_default() },
            evidence => MemberFate::ProvedDead { tried: evidence == DeathEvidence::Refused },
        });
    }
    if flag(12)? {
        return Ok(MemberFate::Gone);
    }
    // What is held lives on; what had ended before the hold does not.
    if let Some(by) = row.get::<Option<String>>(5)?.filter(|_| !ended) {
        return Ok(MemberFate::Held { by, reason: row.get::<Option<String>>(6)?.unwrap_or_default() });
    }
    Ok(match (flag(4)?, flag(7)?, ended, flag(10)?, flag(9)?, flag(11)?) {
        (true, ..) => MemberFate::Protected,
        (_, true, ..) => MemberFate::Parked { error: row.get::<Option<String>>(8)?.unwrap_or_default() },
        (_, _, true, ..) => MemberFate::Revoked,
        (_, _, _, true, ..) => MemberFate::Replaced,
        (_, _, _, _, true, _) => MemberFate::Untouched,
        (.., true) => MemberFate::Waiting,
        (.., false) => MemberFate::Untouched,
    })
}

#[derive(Debug, thiserror::Error)]
pub enum OpenCampaignError {
    #[error("the campaigns could not be read")]
    Read(#[from] ReadError),
    #[error("the campaign could not be written")]
    Write(#[from] WriteError),
}
