//! Apps that share no socket, as threads do not: each on its own port, refilled after a pause, renewed one by one.

use super::*;

/// Two apps outside of production, each with a port of its own.
fn own_ports() -> SupervisorConfig {
    let restart = RestartPolicy { pause: seconds(1), ..RestartPolicy::default() };
    SupervisorConfig { shares_sockets: false, checks_health: false, port: None, restart, ..production() }
}

/// They have no channel that could close before they end.
fn die(stage: &mut Stage, who: Occupant) {
    stage.exit(who, Exit::Code(1));
}

/// It was asked to leave, and does.
fn go(stage: &mut Stage, who: Occupant) {
    stage.tell(Event::TreeGone { who });
    stage.exit(who, Exit::Code(1));
}

fn at(port: i64) -> ListeningAddress {
    ListeningAddress { address_type: 6, address: None, port }
}

#[test]
fn any_port_counts_and_that_of_the_first_slot_is_the_clusters() {
    let mut stage = Stage::with_booting_apps(own_ports());
    stage.listen_on(app(0, 1), at(8001));
    assert!(!stage.view().is_running);
    stage.listen_on(app(1, 1), at(8002));
    let ready = Notice::ReadyToParent {
        port: Some(8001),
        address: "http://127.0.0.1:8001".to_owned(),
        protocol: "http".to_owned(),
    };
    assert!(stage.take().told().contains(&ready));
}

#[test]
fn a_dead_app_is_started_again_when_the_pause_is_over_and_not_before() {
    let mut stage = Stage::ready(own_ports());
    stage.wait(seconds(60));
    die(&mut stage, app(0, 1));
    stage.wait(millis(999));
    assert_eq!(stage.take().spawned(), []);
    stage.wait(millis(1));
    assert_eq!(stage.take().spawned(), [app(0, 2)]);
}

#[test]
fn a_reload_empties_one_seat_after_the_other() {
    let mut stage = Stage::ready(own_ports());
    stage.reload();
    assert_eq!(stage.take().terminated(), [app(0, 1)]);
    go(&mut stage, app(0, 1));
    let asked = stage.take();
    assert_eq!(asked.spawned(), [app(0, 2)]);
    assert!(!asked.has_report(|report| matches!(report, Report::AppDied { .. })));
    assert_eq!(asked.terminated(), []);
    stage.listen(app(0, 2));
    assert_eq!(stage.take().terminated(), [app(1, 1)]);
    go(&mut stage, app(1, 1));
    stage.take();
    stage.listen(app(1, 2));
    assert!(stage.take().has_report(|report| matches!(report, Report::ReloadDone { count: 2, .. })));
    assert_eq!(stage.serving(), [app(0, 2), app(1, 2)]);
}

#[test]
fn a_new_app_that_does_not_start_ends_the_reload_and_the_other_old_one_stays() {
    let mut stage = Stage::ready(own_ports());
    stage.reload();
    go(&mut stage, app(0, 1));
    stage.take();
    die(&mut stage, app(0, 2));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::ReloadFailed { .. })));
    assert_eq!(asked.terminated(), []);
    stage.wait(seconds(1));
    assert_eq!(stage.take().spawned(), [app(0, 3)]);
    stage.listen(app(0, 3));
    assert_eq!(stage.serving(), [app(1, 1), app(0, 3)]);
    assert_eq!(stage.take().terminated(), []);
}

#[test]
fn an_old_app_that_dies_before_its_turn_is_no_failure_of_a_new_one() {
    let mut stage = Stage::ready(own_ports());
    stage.reload();
    die(&mut stage, app(1, 1));
    assert!(!stage.take().has_report(|report| matches!(report, Report::ReloadFailed { .. })));
    go(&mut stage, app(0, 1));
    stage.wait(seconds(1));
    stage.listen(app(0, 2));
    stage.listen(app(1, 2));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::ReloadDone { .. })));
    assert_eq!(asked.terminated(), []);
    assert_eq!(stage.serving(), [app(0, 2), app(1, 2)]);
}

#[test]
fn an_app_that_boots_when_a_reload_begins_is_started_anew_because_it_may_have_read_the_old_code() {
    let mut stage = Stage::ready(own_ports());
    die(&mut stage, app(1, 1));
    stage.wait(seconds(1));
    stage.take();
    stage.reload();
    assert_eq!(stage.take().terminated(), [app(1, 2), app(0, 1)]);
    go(&mut stage, app(1, 2));
    assert_eq!(stage.take().spawned(), [app(1, 3)]);
}

#[test]
fn an_old_app_that_cannot_be_ended_does_not_cost_the_seat() {
    let mut stage = Stage::ready(own_ports());
    stage.reload();
    stage.take();
    stage.wait(seconds(7));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::Abandoned { .. })));
    assert_eq!(asked.spawned(), [app(0, 2)]);
}

#[test]
fn a_stop_during_a_reload_starts_nobody_more() {
    let mut stage = Stage::ready(own_ports());
    stage.reload();
    stage.take();
    stage.tell(Event::StopAsked { signal: None });
    assert_eq!(stage.take().terminated(), [app(1, 1)]);
    go(&mut stage, app(0, 1));
    go(&mut stage, app(1, 1));
    let asked = stage.take();
    assert_eq!(asked.spawned(), []);
    assert_eq!(asked.terminated(), [agent(1)]);
}
