//! App workers that die, disconnect, hang or cannot be forked while the cluster runs.

use super::{Event, Exit, Forks, Notice, Report, SIGKILL, Stage, agent, app, local, millis, pid, production, seconds};
use egg_clutch::slot::ExitReason;
use egg_clutch::supervisor::{Refork, SupervisorConfig};

#[test]
fn refork_happens_on_disconnect_before_the_old_process_is_gone() {
    let mut stage = Stage::ready(production());
    stage.close(app(0, 1));
    assert_eq!(stage.take().spawned(), [app(0, 2)]);
    stage.listen(app(0, 2));
    stage.wait(seconds(30));
    assert_eq!(stage.view().apps.len(), 3, "the old one drains");
    stage.exit(app(0, 1), Exit::Code(0));
    let asked = stage.take();
    assert_eq!(asked.spawned(), []);
    let is_expected =
        |report: &Report| matches!(report, Report::AppExited { after_disconnect: true, refork: Refork::Wanted, .. });
    assert!(asked.has_report(is_expected));
}

#[test]
fn an_exit_without_a_disconnect_is_answered_by_one_refork_and_told_as_both() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), SIGKILL);
    stage.close(app(0, 1));
    stage.exit(app(0, 1), SIGKILL);
    let asked = stage.take();
    assert_eq!(asked.spawned(), [app(0, 2)]);
    assert_eq!(asked.reports(|report| matches!(report, Report::AppDisconnected { .. })), 1);
    assert_eq!(asked.reports(|report| matches!(report, Report::AppExited { .. })), 1);
    assert_eq!(asked.told(), [Notice::AppPidsToAgent(vec![pid(app(1, 1))]), Notice::AppDiedToParent]);
}

#[test]
fn outside_production_the_others_go_on_without_the_dead_one() {
    let mut stage = Stage::ready(local());
    stage.close(app(0, 1));
    stage.exit(app(0, 1), SIGKILL);
    stage.wait(seconds(600));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.exit()), (Vec::new(), None));
    let is_off = |report: &Report| {
        matches!(
            report,
            Report::AppDisconnected { refork: Refork::Off, .. } | Report::AppExited { refork: Refork::Off, .. }
        )
    };
    assert_eq!(asked.reports(is_off), 2);
    assert_eq!(stage.serving(), [app(1, 1)]);
}

#[test]
fn outside_production_the_master_stays_alive_without_any_worker() {
    let mut stage = Stage::ready(local());
    stage.exit(app(0, 1), SIGKILL);
    stage.exit(app(1, 1), SIGKILL);
    stage.wait(seconds(600));
    assert_eq!(stage.take().exit(), None);
}

#[test]
fn a_refork_is_told_to_all_apps_and_its_pid_to_the_agent() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), Exit::Code(1));
    stage.take();
    stage.listen(app(0, 2));
    let pids = vec![pid(app(1, 1)), pid(app(0, 2))];
    assert_eq!(stage.take().told(), [Notice::AppPidsToAgent(pids), Notice::ReadyToApps]);
}

#[test]
fn a_refork_that_dies_before_it_listens_is_retried_with_backoff() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), Exit::Code(1));
    assert_eq!(stage.take().spawned(), [app(0, 2)]);
    let mut longest = seconds(0);
    for generation in 2..20 {
        let died_at = stage.now;
        stage.exit(app(0, generation), Exit::Code(1));
        assert_eq!(stage.take().spawned(), [], "not at once");
        stage.wait(seconds(15));
        assert_eq!(stage.take().spawned(), [app(0, generation + 1)], "but within the cap");
        longest = longest.max(stage.now - died_at);
    }
    stage.listen(app(0, 20));
    assert_eq!(stage.serving(), [app(1, 1), app(0, 20)]);
}

#[test]
fn a_healthy_life_is_followed_by_a_refork_at_once_whatever_was_before() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), Exit::Code(1));
    stage.exit(app(0, 2), Exit::Code(1));
    stage.wait(seconds(15));
    stage.listen(app(0, 3));
    stage.wait(seconds(10));
    stage.take();
    stage.exit(app(0, 3), Exit::Code(1));
    assert_eq!(stage.take().spawned(), [app(0, 4)]);
}

#[test]
fn a_slot_that_cannot_be_forked_is_tried_again() {
    let mut stage = Stage::ready(production());
    stage.forks = Forks::Fail;
    stage.exit(app(0, 1), SIGKILL);
    stage.wait(seconds(20));
    assert!(stage.take().spawned().len() > 3);
    stage.forks = Forks::Succeed;
    stage.wait(seconds(20));
    let asked = stage.take();
    assert_eq!(asked.spawned().len(), 1);
    assert_eq!(asked.exit(), None, "the other app serves");
}

#[test]
fn a_refork_that_hangs_while_it_boots_is_forced_out_and_replaced() {
    let mut stage = Stage::ready(SupervisorConfig { boot_timeout: seconds(10), ..production() });
    stage.exit(app(0, 1), SIGKILL);
    stage.take();
    stage.wait(seconds(10));
    assert_eq!(stage.take().terminated(), [app(0, 2)]);
    stage.wait(seconds(5));
    let asked = stage.take();
    assert_eq!(asked.killed(), [app(0, 2)]);
    assert_eq!(asked.spawned(), [app(0, 3)], "the slot does not wait for the end of the one that hangs");
    stage.exit(app(0, 2), SIGKILL);
    let reason = ExitReason::TimedOut;
    assert!(stage.take().has_report(|report| matches!(report, Report::AppExited { reason: is, .. } if *is == reason)));
}

#[test]
fn a_refork_that_hangs_and_cannot_be_killed_does_not_cost_the_slot() {
    let mut stage = Stage::ready(SupervisorConfig { boot_timeout: seconds(3), ..production() });
    stage.exit(app(0, 1), SIGKILL);
    stage.wait(seconds(5));
    stage.listen(app(0, 3));
    stage.wait(seconds(20));
    assert_eq!(stage.view().apps.len(), 2);
    assert_eq!(stage.serving(), [app(1, 1), app(0, 3)]);
}

#[test]
fn an_app_that_closed_its_channel_and_stays_is_forced_out_after_a_minute() {
    for config in [production(), local()] {
        let mut stage = Stage::ready(config);
        stage.close(app(0, 1));
        stage.wait(seconds(59));
        assert_eq!(stage.take().terminated(), []);
        stage.wait(seconds(1));
        assert_eq!(stage.take().terminated(), [app(0, 1)]);
        stage.wait(seconds(5));
        assert_eq!(stage.take().killed(), [app(0, 1)]);
        stage.exit(app(0, 1), SIGKILL);
        let asked = stage.take();
        assert!(
            asked.has_report(|report| matches!(report, Report::AppDied { .. })),
            "nobody had asked it to leave before"
        );
        assert_eq!(asked.spawned(), []);
    }
}

#[test]
fn an_app_that_breaks_the_protocol_is_killed_and_replaced() {
    let mut stage = Stage::ready(SupervisorConfig { is_debug: true, ..production() });
    stage.tell(Event::ProtocolViolated { who: app(0, 1) });
    let asked = stage.take();
    assert_eq!((asked.killed(), asked.spawned()), (vec![app(0, 1)], vec![app(0, 2)]));
    stage.exit(app(0, 1), SIGKILL);
    stage.wait(seconds(1));
    let asked = stage.take();
    assert!(
        !asked.has_report(|report| matches!(report, Report::KilledByDebugger)),
        "it was not the debugger who killed it"
    );
    assert!(!stage.view().is_stopping);
}

#[test]
fn a_worker_killed_by_the_debugger_closes_the_cluster_ten_milliseconds_later_with_0() {
    let mut stage = Stage::ready(SupervisorConfig { is_debug: true, ..local() });
    stage.exit(app(0, 1), SIGKILL);
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::AppDied { by_debugger: true, .. })));
    stage.wait(millis(9));
    stage.exit(app(1, 1), SIGKILL);
    assert_eq!(stage.take().reports(|report| matches!(report, Report::KilledByDebugger)), 0, "that is known already");
    stage.wait(millis(1));
    assert_eq!(stage.take().terminated(), [agent(1)]);
    stage.leave(agent(1));
    assert_eq!(stage.take().exit(), Some(0));
}

#[test]
fn three_looks_in_a_row_without_an_app_in_service_end_the_master_with_1() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), Exit::Code(1));
    stage.exit(app(1, 1), Exit::Code(1));
    stage.wait(millis(29_999));
    assert_eq!(stage.take().exit(), None);
    stage.wait(millis(1));
    let asked = stage.take();
    assert_eq!(asked.exit(), Some(1));
    assert!(asked.has_report(|report| *report == Report::CapacityLost { agents: 1, workers: 0 }));
}

#[test]
fn one_good_look_between_bad_ones_begins_the_count_anew() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), Exit::Code(1));
    stage.exit(app(1, 1), Exit::Code(1));
    stage.wait(seconds(25));
    stage.listen(app(0, 2));
    stage.wait(seconds(10));
    stage.exit(app(0, 2), Exit::Code(1));
    stage.wait(millis(24_999));
    assert_eq!(stage.take().exit(), None);
    stage.wait(millis(1));
    assert_eq!(stage.take().exit(), Some(1));
}

#[test]
fn news_of_an_older_generation_change_nothing() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), SIGKILL);
    stage.listen(app(0, 2));
    stage.take();
    stage.listen(app(0, 1));
    stage.close(app(0, 1));
    stage.tell(Event::ProtocolViolated { who: app(0, 1) });
    stage.tell(Event::Spawned { who: app(0, 1), pid: 4 });
    stage.tell(Event::SpawnFailed { who: app(0, 2) });
    stage.exit(app(0, 7), SIGKILL);
    stage.exit(app(9, 1), SIGKILL);
    assert!(stage.take().0.is_empty());
    assert_eq!(stage.serving(), [app(1, 1), app(0, 2)]);
}
