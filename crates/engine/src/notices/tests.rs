use domain::{
    Cause, CredentialId, Destination, Drifted, Handle, IssuerFacts, Parent, Presence, RetireWhen, RotationId,
    SecretPath, Slots, Trouble, Usage, Version, VersionNumber,
};

use super::*;

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + number * 86_400).unwrap()
}

fn version(number: u32) -> Version {
    Version {
        number: VersionNumber(number),
        handle: Handle::parse(&format!("handle-{number}")).unwrap(),
        name: "key".to_owned(),
        title: "Key".to_owned(),
        origin: Origin::Issued,
        secret_held: true,
        created_at: day(0),
        presence: Presence::Listed,
        expires_at: None,
        disabled_at: None,
        switch_in_doubt: None,
        delivered_at: None,
        verified_at: None,
        revoked_at: None,
        dead_at: None,
        usage: Usage::default(),
    }
}

fn observed(versions: &[u32]) -> Observed {
    Observed {
        credential: CredentialId::parse("apic/acme/shop/key").unwrap(),
        facts: IssuerFacts::overlapping(Duration::ZERO).into(),
        name: "key".to_owned(),
        title: "Key".to_owned(),
        owner: None,
        parent: Parent::Enabled,
        name_taken: None,
        slots: Slots::default(),
        stray: false,
        protected: false,
        hold: None,
        requested: None,
        versions: versions.iter().map(|number| version(*number)).collect(),
        rotation: None,
        task: None,
        parent_turned_at: None,
        acknowledged: Vec::new(),
        waivers: Vec::new(),
        told: Vec::new(),
        drift: Vec::new(),
        trouble: Trouble::default(),
    }
}

fn destination() -> Destination {
    Destination { store: "local".into(), path: SecretPath::parse("apic/shop").unwrap() }
}

fn policy(mode: Mode) -> Policy {
    Policy {
        name: "ninety".to_owned(),
        mode,
        rotate_after: Duration::from_hours(90 * 24),
        overlap: Duration::from_hours(10 * 24),
        retire_when: RetireWhen::Quiet,
        quiet_for: Duration::from_hours(24),
        retire_after: Duration::from_hours(100 * 24),
        deliver: vec![destination()],
        consumers: [].into(),
        task_within: Duration::from_hours(24),
        begin_not_before: None,
    }
}

fn rotation(confirmed_at: Option<Timestamp>) -> Rotation {
    let delivery = domain::Delivery {
        destination: destination(),
        written_at: Some(day(1)),
        promoted_at: confirmed_at,
        confirmed_at,
        first_confirmed_at: confirmed_at,
    };
    Rotation {
        id: RotationId::new("r1"),
        cause: Cause::Age,
        started_at: day(1),
        from: Some(VersionNumber(1)),
        to: Some(VersionNumber(2)),
        deliveries: vec![delivery],
    }
}

/// What is told on day 85, as kind and text.
fn told(observed: &Observed, mode: Mode, plan: &Plan, ended: &[Ended]) -> Vec<(NoticeKind, String)> {
    let policy = policy(mode);
    let teller = Teller { observed, policy: &policy, now: day(85) };
    let text = |news: News| {
        let Notice { kind, what, state, advice, about, .. } = news.notice;
        assert!(about.starts_with(kind.word()) && about.ends_with("apic/acme/shop/key"), "{about}");
        (kind, format!("{what} | {state} | {advice}"))
    };
    news_of(&teller, plan, ended).into_iter().map(text).collect()
}

#[test]
fn it_is_due_soon_within_a_week_and_the_mode_says_what_to_do() {
    let one = observed(&[1]);
    let plan = |at| Plan { wake_at: Some(day(at)), ..Plan::default() };
    assert_eq!(told(&one, Mode::Automatic, &plan(93), &[]), []);
    for (mode, advice) in [
        (Mode::Automatic, "see to it that applications read it from local:apic/shop"),
        (Mode::Ask, "approve the plan when it is due"),
        (Mode::Notify, "replace it at the platform by"),
    ] {
        let told = told(&one, mode, &plan(90), &[]);
        assert_eq!(told[0].0, NoticeKind::DueSoon);
        assert!(told[0].1.contains(advice), "{told:?}");
    }
    assert_eq!(told(&one, Mode::Observe, &plan(90), &[]), []);
}

#[test]
fn a_rotation_is_told_from_its_begin_to_its_end() {
    let mut two = observed(&[1, 2]);
    two.rotation = Some(rotation(None));
    let started = told(&two, Mode::Automatic, &Plan::default(), &[]);
    assert_eq!(started[0].0, NoticeKind::Started);
    assert!(started[0].1.contains("version 2 is made and not yet handed out; version 1 still works"), "{started:?}");
    two.rotation = Some(rotation(Some(day(80))));
    let promoted = told(&two, Mode::Automatic, &Plan::default(), &[]);
    assert_eq!(promoted[0].0, NoticeKind::Promoted);
    let until = format!("version 1 is kept at least until {:.0}", day(90));
    assert!(promoted[0].1.ends_with(&until), "{promoted:?}");

    let ended = Ended {
        credential_id: 1,
        rotation: RotationId::new("r1"),
        at: day(84),
        retired: Some(VersionNumber(1)),
        proved_dead: true,
    };
    let retired = told(&observed(&[2]), Mode::Automatic, &Plan::default(), std::slice::from_ref(&ended));
    assert_eq!(retired[0].0, NoticeKind::Retired);
    assert!(
        retired[0].1.starts_with("version 1 is revoked; the platform was seen to refuse it | version 2 is current")
    );
    let repaired = Ended { retired: None, ..ended };
    assert_eq!(told(&observed(&[2]), Mode::Automatic, &Plan::default(), &[repaired]), [], "nothing was retired");
}

#[test]
fn an_owner_who_replaced_it_hears_that_it_was_seen() {
    let mut two = observed(&[1, 2]);
    two.versions[1].origin = Origin::Found;
    assert_eq!(told(&two, Mode::Notify, &Plan::default(), &[]), [], "that was long ago");
    two.versions[1].created_at = day(84);
    let seen = told(&two, Mode::Notify, &Plan::default(), &[]);
    assert_eq!(seen[0].0, NoticeKind::Promoted);
    assert!(seen[0].1.ends_with("remove version 1 at the platform once nobody uses it"), "{seen:?}");
    two.versions[0].presence = Presence::Gone;
    assert!(told(&two, Mode::Notify, &Plan::default(), &[])[0].1.ends_with("| nothing"));
    assert_eq!(told(&two, Mode::Automatic, &Plan::default(), &[]), []);

    let plan = Plan { findings: vec![Finding::OwnerActs], ..Plan::default() };
    let waiting = told(&observed(&[1]), Mode::Notify, &plan, &[]);
    assert!(waiting[0].1.starts_with(&format!("it was due {:.0}", day(90))), "{waiting:?}");
}

#[test]
fn what_turns_twice_a_day_is_told_only_when_it_is_in_trouble() {
    let mut token = observed(&[1, 2]);
    token.facts = IssuerFacts { ending: Ending::Expires, ..IssuerFacts::overlapping(Duration::ZERO) }.into();
    token.rotation = Some(rotation(None));
    let parked = Finding::Parked { attempts: 8, error: "503".to_owned() };
    let plan = Plan { findings: vec![parked], ..Plan::default() };
    assert_eq!(told(&token, Mode::Automatic, &Plan::default(), &[]), []);
    assert_eq!(told(&token, Mode::Automatic, &plan, &[])[0].0, NoticeKind::Stuck);
}

#[test]
fn every_finding_that_wants_a_person_is_told() {
    let drifted = Finding::Drifted { destination: "local:apic/shop".to_owned(), what: Drifted::Gone };
    let retrying = |attempts| Finding::Retrying { attempts, error: "503".to_owned() };
    for (finding, kind) in [
        (drifted, Some(NoticeKind::Drift)),
        (retrying(1), None),
        (retrying(ATTEMPTS_BORNE), Some(NoticeKind::Failed)),
        (Finding::OwnerActs, Some(NoticeKind::TaskWaiting)),
        (Finding::TaskOverdue { due_at: day(3) }, Some(NoticeKind::Overdue)),
        (Finding::Overdue { age_days: 101, limit_days: 100 }, Some(NoticeKind::Overdue)),
        (Finding::NoUsageEvidence, Some(NoticeKind::Stuck)),
        (Finding::StillUsed { last_used: day(80) }, Some(NoticeKind::Stuck)),
        (Finding::OnlyObserved, None),
        (Finding::Held { by: "ada".to_owned(), reason: "audit".to_owned() }, None),
    ] {
        assert_eq!(meaning(&finding).map(|(kind, _)| kind), kind, "{finding}");
        assert!(kind.is_some() || !finding.wants_attention(), "{finding}");
    }
}

#[test]
fn trouble_escalates_and_an_owner_without_address_is_no_reason_for_silence() {
    let to = |name: &str, address: &str| (Arc::from(name), address.to_owned());
    let audience = Audience {
        told: Circle { owner_through: Some("mail".into()), places: Vec::new() },
        escalated_to: Circle { owner_through: None, places: vec![to("lead", "eve")] },
    };
    let all = |kind, owner| audience.recipients(kind, owner).into_iter().collect::<Vec<_>>();
    assert_eq!(all(NoticeKind::Promoted, Some("ada")), [to("mail", "ada")]);
    assert_eq!(all(NoticeKind::Overdue, Some("ada")), [to("lead", "eve"), to("mail", "ada")]);
    assert_eq!(all(NoticeKind::Promoted, None), [to("lead", "eve")]);
}
