//! Spares, isolated workers, the signs of lost capacity, and stops that wait.

use super::{
    Answer, Effect, Event, Exit, Notice, Report, RequestId, SIGKILL, Stage, agent, app, local, millis, pid, production,
    seconds,
};
use egg_clutch::message::address::{SlotIndex, WorkerId};
use egg_clutch::slot::Duty;
use egg_clutch::supervisor::{IntensityEnd, Refusal, RestartPolicy, SupervisorConfig};

fn with_spare() -> SupervisorConfig {
    SupervisorConfig { spares: 1, ..production() }
}

/// Ready, and so is its spare, which sits in slot 2.
fn with_ready_spare() -> Stage {
    let mut stage = Stage::ready(with_spare());
    stage.listen(app(2, 1));
    stage.take();
    stage
}

fn isolate(stage: &mut Stage, number: u32, ticket: u32) {
    stage.tell(Event::IsolateAsked { number: WorkerId(number), ticket: Some(RequestId(ticket)) });
}

fn rejoin(stage: &mut Stage, number: u32, ticket: u32) {
    stage.tell(Event::RejoinAsked { number: WorkerId(number), ticket: Some(RequestId(ticket)) });
}

#[test]
fn a_spare_boots_when_the_cluster_is_ready_and_is_given_nothing() {
    let mut stage = Stage::with_booting_apps(with_spare());
    stage.listen(app(0, 1));
    assert_eq!(stage.take().spawned(), []);
    stage.listen(app(1, 1));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.barred()), (vec![app(2, 1)], vec![app(2, 1)]));
    stage.listen(app(2, 1));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::SpareReady { .. })));
    assert_eq!((asked.told(), asked.admitted()), (Vec::new(), Vec::new()), "nobody hears of it");
    assert_eq!(stage.serving(), [app(0, 1), app(1, 1)]);
    assert_eq!(stage.view().apps[2].duty, Duty::Spare);
}

#[test]
fn a_spare_takes_over_at_once_and_the_next_one_boots_where_the_lost_one_was() {
    let mut stage = with_ready_spare();
    stage.wait(seconds(20));
    stage.take();
    stage.exit(app(0, 1), SIGKILL);
    let asked = stage.take();
    assert_eq!((asked.admitted(), asked.spawned()), (vec![app(2, 1)], vec![app(0, 2)]));
    assert_eq!(asked.barred(), [app(0, 2)]);
    let place = Effect::Place { slot: SlotIndex(2), place: SlotIndex(0) };
    assert!(asked.0.contains(&place), "clients that are kept together stay together");
    let notices = [Notice::AppPidsToAgent(vec![pid(app(1, 1)), pid(app(2, 1))]), Notice::ReadyToApps];
    assert!(notices.iter().all(|notice| asked.told().contains(notice)));
    assert!(!asked.has_report(|report| matches!(report, Report::Degraded { .. })));
    assert_eq!(stage.serving(), [app(1, 1), app(2, 1)]);
    stage.listen(app(0, 2));
    assert_eq!(stage.take().admitted(), [], "it is the spare now");
    stage.exit(app(2, 1), SIGKILL);
    assert_eq!(stage.take().admitted(), [app(0, 2)]);
}

#[test]
fn a_spare_that_is_not_ready_yet_takes_over_when_it_is() {
    let mut stage = Stage::ready(with_spare());
    stage.exit(app(0, 1), SIGKILL);
    assert!(stage.take().has_report(|report| matches!(report, Report::Degraded { serving: 1, target: 2 })));
    stage.listen(app(2, 1));
    let asked = stage.take();
    assert_eq!(asked.admitted(), [app(2, 1)]);
    assert!(asked.has_report(|report| matches!(report, Report::Recovered { target: 2 })));
}

#[test]
fn where_dead_workers_are_not_replaced_the_spare_takes_over_and_no_other_comes() {
    let mut stage = Stage::ready(SupervisorConfig { spares: 1, ..local() });
    stage.listen(app(2, 1));
    stage.exit(app(0, 1), SIGKILL);
    let asked = stage.take();
    assert_eq!(asked.admitted(), [app(2, 1)]);
    stage.wait(seconds(60));
    assert!(!stage.take().spawned().contains(&app(0, 2)));
}

#[test]
fn a_dead_spare_is_replaced_and_nobody_in_service_is_touched() {
    let mut stage = with_ready_spare();
    stage.exit(app(2, 1), Exit::Code(1));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.admitted()), (vec![app(2, 2)], Vec::new()));
    assert_eq!(stage.serving(), [app(0, 1), app(1, 1)]);
}

#[test]
fn a_reload_tries_the_spare_first_and_a_spare_that_takes_over_meanwhile_is_renewed_in_its_turn() {
    let mut stage = Stage::ready(SupervisorConfig { reload_concurrency: 1, ..with_spare() });
    stage.listen(app(2, 1));
    stage.take();
    stage.reload();
    assert_eq!(stage.take().spawned(), [app(2, 2)]);
    stage.listen(app(2, 2));
    let asked = stage.take();
    assert_eq!((asked.terminated(), asked.spawned()), (vec![app(2, 1)], vec![app(0, 2)]));
    // The old one in service dies while its successor boots: the new spare serves, the successor is the next spare.
    stage.exit(app(0, 1), SIGKILL);
    assert_eq!(stage.take().admitted(), [app(2, 2)]);
    stage.listen(app(0, 2));
    assert_eq!(stage.take().spawned(), [app(1, 2)]);
    stage.listen(app(1, 2));
    assert!(stage.take().has_report(|report| matches!(report, Report::ReloadDone { count: 2, .. })));
    assert_eq!(stage.serving(), [app(2, 2), app(1, 2)]);
}

#[test]
fn an_isolated_worker_stays_without_connections_until_it_rejoins() {
    let mut stage = Stage::ready(production());
    isolate(&mut stage, 1, 7);
    let asked = stage.take();
    assert_eq!((asked.barred(), asked.answers()), (vec![app(0, 1)], vec![(7, Answer::Done)]));
    assert!(asked.has_report(|report| matches!(report, Report::Degraded { serving: 1, target: 2 })));
    assert_eq!(asked.spawned(), [], "nobody takes its place");
    stage.wait(seconds(60));
    assert_eq!(stage.serving(), [app(1, 1)]);
    rejoin(&mut stage, 1, 8);
    let asked = stage.take();
    assert_eq!((asked.admitted(), asked.answers()), (vec![app(0, 1)], vec![(8, Answer::Done)]));
    assert!(asked.has_report(|report| matches!(report, Report::Recovered { .. })));
}

#[test]
fn the_last_worker_in_service_is_not_isolated_nor_one_that_there_is_not() {
    let mut stage = Stage::ready(production());
    isolate(&mut stage, 2, 1);
    isolate(&mut stage, 1, 2);
    isolate(&mut stage, 99, 3);
    rejoin(&mut stage, 1, 4);
    let refused = [
        (1, Answer::Done),
        (2, Answer::Refused(Refusal::LastInService(WorkerId(1)))),
        (3, Answer::Refused(Refusal::NoSuchWorker(WorkerId(99)))),
        (4, Answer::Refused(Refusal::NotIsolated(WorkerId(1)))),
    ];
    assert_eq!(stage.take().answers(), refused);
}

#[test]
fn an_isolated_worker_that_dies_is_replaced_by_one_in_service() {
    let mut stage = Stage::ready(production());
    isolate(&mut stage, 1, 1);
    stage.exit(app(0, 1), SIGKILL);
    stage.listen(app(0, 2));
    assert_eq!(stage.serving(), [app(1, 1), app(0, 2)]);
}

#[test]
fn too_many_restarts_end_the_master_where_that_was_chosen() {
    let restart = RestartPolicy { intensity: 3, then: IntensityEnd::Exit, ..RestartPolicy::default() };
    let mut stage = Stage::ready(SupervisorConfig { restart, ..production() });
    for generation in 1..=3 {
        stage.exit(app(0, generation), SIGKILL);
        stage.wait(seconds(1));
        stage.listen(app(0, generation + 1));
        assert_eq!(stage.take().exit(), None);
    }
    stage.exit(app(0, 4), SIGKILL);
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::RestartsExceeded { restarts: 3, .. })));
    assert_eq!(asked.exit(), Some(1));
}

#[test]
fn a_delayed_stop_serves_on_and_replaces_who_dies_until_the_delay_is_over() {
    let mut stage = Stage::ready(SupervisorConfig { pre_stop_delay: seconds(5), ..production() });
    stage.tell(Event::StopAsked { signal: Some("SIGTERM".to_owned()) });
    assert_eq!(stage.take().terminated(), []);
    assert!(stage.view().is_leaving);
    stage.exit(app(0, 1), SIGKILL);
    assert_eq!(stage.take().spawned(), [app(0, 2)]);
    stage.reload();
    assert_eq!(stage.take().spawned(), [], "nothing new is begun");
    stage.wait(seconds(5));
    let asked = stage.take();
    assert!(asked.has_report(|r| matches!(r, Report::StopStarted { signal: Some(signal) } if signal == "SIGTERM")));
    assert_eq!(asked.terminated(), [app(1, 1), app(0, 2)]);
}

#[test]
fn a_second_signal_ends_the_delay_and_a_third_kills() {
    let mut stage = Stage::ready(SupervisorConfig { pre_stop_delay: seconds(5), ..production() });
    let signal = || Event::StopAsked { signal: Some("SIGTERM".to_owned()) };
    stage.tell(signal());
    stage.tell(signal());
    assert_eq!(stage.take().terminated(), [app(0, 1), app(1, 1)]);
    stage.tell(signal());
    assert_eq!(stage.take().killed(), [app(0, 1), app(1, 1)]);
    for slot in 0..2 {
        stage.exit(app(slot, 1), SIGKILL);
        stage.tell(Event::TreeGone { who: app(slot, 1) });
    }
    assert_eq!(stage.take().killed(), [agent(1)]);
}

#[test]
fn a_second_signal_leaves_those_that_drain_already_a_second() {
    let mut stage = Stage::ready(SupervisorConfig { pre_stop_delay: seconds(5), ..production() });
    let signal = || Event::StopAsked { signal: Some("SIGTERM".to_owned()) };
    stage.tell(signal());
    stage.wait(seconds(6));
    stage.tell(signal());
    stage.wait(millis(999));
    assert_eq!(stage.take().killed(), []);
    stage.wait(millis(1));
    assert_eq!(stage.take().killed(), [app(0, 1), app(1, 1)]);
}

#[test]
fn a_second_signal_without_a_delay_changes_nothing() {
    let mut stage = Stage::ready(production());
    for _ in 0..3 {
        stage.tell(Event::StopAsked { signal: Some("SIGTERM".to_owned()) });
    }
    assert_eq!(stage.take().terminated(), [app(0, 1), app(1, 1)]);
    stage.wait(millis(4_599));
    assert_eq!(stage.take().descendants_killed(), []);
}
