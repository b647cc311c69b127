//! A new master in the place of this one, and all that can go wrong with it.

use super::*;
use egg_clutch::supervisor::{HeirFailure, Occupation, Refusal};

const HEIR: u32 = 9_000;

fn ask(stage: &mut Stage, ticket: u32) {
    stage.tell(Event::UpgradeAsked { limit: seconds(30), ticket: Some(RequestId(ticket)) });
}

/// A cluster beside which a new master boots.
fn with_heir(config: SupervisorConfig) -> Stage {
    let mut stage = Stage::ready(config);
    ask(&mut stage, 1);
    assert!(stage.take().0.contains(&Effect::SpawnHeir));
    stage.tell(Event::HeirSpawned { pid: HEIR });
    assert!(stage.take().has_report(|report| matches!(report, Report::HeirStarted { pid: HEIR })));
    stage
}

fn failures(asked: &Asked) -> Vec<HeirFailure> {
    let failure =
        |(_, answer)| if let Answer::Refused(Refusal::UpgradeFailed(failure)) = answer { Some(failure) } else { None };
    asked.answers().into_iter().filter_map(failure).collect()
}

#[test]
fn a_cluster_serves_until_the_new_master_does_and_then_drains() {
    let mut stage = with_heir(production());
    stage.tell(Event::HeirReady);
    let asked = stage.take();
    assert!(asked.0.contains(&Effect::LetHeirTakeOver));
    assert!(asked.terminated().is_empty() && asked.answers().is_empty(), "nobody leaves before the new master serves");
    stage.tell(Event::HeirTookOver);
    let asked = stage.take();
    let place = |effect: &Effect| asked.0.iter().position(|asked| asked == effect).unwrap();
    assert!(place(&Effect::Bequeath { heir: HEIR }) < place(&Effect::Terminate { who: app(0, 1) }));
    assert_eq!(asked.answers(), [(1, Answer::Upgraded { pid: HEIR })]);
    assert!(asked.told().contains(&Notice::UpgradedToParent { pid: HEIR }));
    assert_eq!(asked.terminated(), [app(0, 1), app(1, 1)]);
    assert!(stage.supervisor.has_leisure(app(0, 1)), "the new master serves");
    (0..2).for_each(|slot| stage.leave(app(slot, 1)));
    stage.leave(agent(1));
    assert_eq!(stage.take().exit(), Some(0));
}

#[test]
fn a_new_master_that_ends_changes_nothing_whenever_that_is() {
    for is_ready in [false, true] {
        let mut stage = with_heir(production());
        if is_ready {
            stage.tell(Event::HeirReady);
        }
        stage.take();
        stage.tell(Event::HeirExited { exit: SIGKILL });
        let asked = stage.take();
        assert_eq!(failures(&asked), [HeirFailure::Ended { pid: HEIR, exit: SIGKILL }]);
        assert!(asked.0.contains(&Effect::Keep));
        assert!(asked.terminated().is_empty() && stage.view().is_running && !stage.view().is_upgrading);
        ask(&mut stage, 2);
        assert!(stage.take().0.contains(&Effect::SpawnHeir), "another one may follow");
    }
}

#[test]
fn a_new_master_that_cannot_be_started_is_answered_at_once() {
    let mut stage = Stage::ready(production());
    ask(&mut stage, 1);
    stage.take();
    stage.tell(Event::HeirNotSpawned { reason: "no such file".to_owned() });
    assert_eq!(failures(&stage.take()), [HeirFailure::NotStarted { reason: "no such file".to_owned() }]);
}

#[test]
fn a_new_master_that_hangs_is_killed_and_the_answer_waits_for_its_end() {
    for is_ready in [false, true] {
        let mut stage = with_heir(production());
        if is_ready {
            stage.tell(Event::HeirReady);
        }
        stage.take();
        let limit = seconds(if is_ready { 10 } else { 30 });
        stage.wait(limit);
        let asked = stage.take();
        assert!(asked.0.contains(&Effect::KillHeir) && asked.answers().is_empty());
        stage.tell(Event::HeirTookOver);
        assert!(stage.view().is_running, "what it says while it is killed comes too late");
        stage.tell(Event::HeirExited { exit: SIGKILL });
        assert_eq!(failures(&stage.take()), [HeirFailure::Overdue { pid: HEIR, limit }]);
    }
}

#[test]
fn a_new_master_that_survives_its_kill_is_not_waited_for() {
    let mut stage = with_heir(production());
    stage.tell(Event::HeirSilent);
    assert!(stage.take().0.contains(&Effect::KillHeir));
    stage.wait(seconds(2));
    assert_eq!(failures(&stage.take()), [HeirFailure::Silent { pid: HEIR }]);
}

#[test]
fn one_thing_at_a_time() {
    let busy = |occupation| Answer::Refused(Refusal::Busy(occupation));
    let mut stage = with_heir(production());
    ask(&mut stage, 2);
    assert_eq!(stage.take().answers(), [(2, busy(Occupation::Upgrade))]);
    stage.tell(Event::ResizeAsked { to: egg_clutch::supervisor::Resize::To(3), ticket: Some(RequestId(3)) });
    assert_eq!(stage.take().answers(), [(3, busy(Occupation::Upgrade))]);
    stage.tell(Event::ReloadAsked { agent: None, ticket: Some(RequestId(4)) });
    assert!(stage.take().0.is_empty(), "a reload waits");
    stage.tell(Event::HeirExited { exit: Exit::Code(1) });
    assert_eq!(stage.take().spawned(), [app(0, 2), app(1, 2)], "and begins where there is no new master");
    ask(&mut stage, 5);
    assert_eq!(stage.take().answers(), [(5, busy(Occupation::Renewal))]);

    let mut stage = Stage::ready(production());
    stage.tell(Event::ResizeAsked { to: egg_clutch::supervisor::Resize::To(3), ticket: None });
    ask(&mut stage, 6);
    assert!(stage.take().answers().contains(&(6, busy(Occupation::Resize))));
}

#[test]
fn a_stop_ends_the_new_master_too() {
    let refused = [(1, Answer::Refused(Refusal::NotRunning))];
    let mut stage = with_heir(production());
    stage.tell(Event::StopAsked { signal: None });
    let asked = stage.take();
    assert!(asked.0.contains(&Effect::KillHeir));
    assert_eq!(asked.answers(), refused);

    let mut stage = with_heir(production());
    stage.tell(Event::HeirReady);
    stage.take();
    stage.tell(Event::StopAsked { signal: None });
    let asked = stage.take();
    assert!(asked.0.contains(&Effect::TerminateHeir), "it may have begun to serve");
    assert_eq!(asked.answers(), refused);

    let mut stage = with_heir(SupervisorConfig { pre_stop_delay: seconds(5), ..production() });
    stage.tell(Event::StopAsked { signal: None });
    assert!(stage.take().0.contains(&Effect::KillHeir), "also where the stop begins later");

    let mut stage = Stage::ready(production());
    stage.tell(Event::StopAsked { signal: None });
    ask(&mut stage, 1);
    assert_eq!(stage.take().answers(), refused);
}

#[test]
fn workers_that_die_meanwhile_are_replaced_as_ever() {
    let mut stage = with_heir(production());
    stage.wait(seconds(11));
    stage.close(app(0, 1));
    assert_eq!(stage.take().spawned(), [app(0, 2)]);
}

#[test]
fn a_new_master_shows_nothing_before_it_has_taken_over() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { inherits: true, ..production() });
    (0..2).for_each(|slot| stage.listen(app(slot, 1)));
    let asked = stage.take();
    assert!(asked.0.contains(&Effect::TakeOver));
    assert!(!stage.view().is_running && !asked.has_report(|report| matches!(report, Report::Ready { .. })));
    stage.tell(Event::TookOver);
    assert!(stage.view().is_running);
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::Ready { .. })));
    assert!(asked.told().contains(&Notice::ReadyToApps));
}

#[test]
fn a_new_master_whose_worker_dies_before_it_takes_over_ends() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { inherits: true, ..production() });
    (0..2).for_each(|slot| stage.listen(app(slot, 1)));
    stage.exit(app(0, 1), SIGKILL);
    assert_eq!(stage.take().exit(), Some(1));
}

#[test]
fn a_new_master_whose_predecessor_is_gone_starts_as_any() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { inherits: true, ..production() });
    stage.tell(Event::TookOver);
    assert!(!stage.view().is_running);
    (0..2).for_each(|slot| stage.listen(app(slot, 1)));
    assert!(stage.view().is_running);
    assert!(!stage.take().0.contains(&Effect::TakeOver));
}
