//! The way out.

use super::{Effect, Event, Exit, Forks, Report, SIGKILL, Stage, agent, app, millis, production, seconds};
use egg_clutch::supervisor::{Supervisor, SupervisorConfig};
use std::time::Duration;

fn stop() -> Event {
    Event::StopAsked { signal: Some("SIGTERM".to_owned()) }
}

#[test]
fn the_agent_is_asked_to_leave_after_the_apps_and_the_master_ends_with_0() {
    let mut stage = Stage::ready(production());
    stage.tell(stop());
    assert_eq!(stage.take().terminated(), [app(0, 1), app(1, 1)]);
    stage.leave(app(1, 1));
    stage.wait(seconds(1));
    assert_eq!(stage.take().terminated(), []);
    stage.leave(app(0, 1));
    assert_eq!(stage.take().terminated(), [agent(1)]);
    stage.leave(agent(1));
    let asked = stage.take();
    assert_eq!(asked.exit(), Some(0));
    assert_eq!(asked.killed(), []);
    assert!(asked.0.iter().any(|effect| matches!(effect, Effect::Report(Report::AgentLeft { .. }))));
}

#[test]
fn app_that_ignores_sigterm_is_killed_at_the_timeout() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    stage.tell(stop());
    stage.wait(millis(4_599));
    assert_eq!(stage.take().descendants_killed(), []);
    stage.wait(millis(1));
    assert_eq!(stage.take().descendants_killed(), [app(0, 1)]);
    stage.tell(Event::TreeGone { who: app(0, 1) });
    stage.wait(millis(399));
    assert_eq!(stage.take().killed(), []);
    stage.wait(millis(1));
    assert_eq!(stage.take().killed(), [app(0, 1)]);
    stage.exit(app(0, 1), SIGKILL);
    assert_eq!(stage.take().terminated(), [agent(1)]);
}

#[test]
fn agent_that_ignores_sigterm_is_killed_at_the_timeout() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    stage.tell(stop());
    stage.leave(app(0, 1));
    stage.wait(seconds(5));
    assert_eq!(stage.take().killed(), [agent(1)]);
    stage.exit(agent(1), SIGKILL);
    stage.tell(Event::TreeGone { who: agent(1) });
    assert_eq!(stage.take().exit(), Some(0));
}

#[test]
fn descendants_that_stay_are_killed_and_waited_for_when_their_process_is_gone_long_ago() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    stage.tell(stop());
    stage.close(app(0, 1));
    stage.exit(app(0, 1), Exit::Code(0));
    stage.take();
    stage.wait(millis(4_600));
    let asked = stage.take();
    assert_eq!((asked.descendants_killed(), asked.terminated()), (vec![app(0, 1)], Vec::new()));
    stage.tell(Event::TreeGone { who: app(0, 1) });
    assert_eq!(stage.take().terminated(), [agent(1)]);
}

#[test]
fn a_process_that_survives_sigkill_is_not_waited_for_any_longer_than_two_seconds() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    stage.tell(stop());
    stage.wait(millis(6_999));
    assert_eq!(stage.take().terminated(), [app(0, 1)]);
    stage.wait(millis(1));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::Abandoned { .. })));
    assert_eq!(asked.terminated(), [agent(1)]);
    stage.wait(seconds(7));
    assert_eq!(stage.take().exit(), Some(0));
}

#[test]
fn a_master_that_was_held_up_still_waits_for_those_it_kills() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    stage.tell(stop());
    stage.now += seconds(60);
    stage.tell(Event::DeadlinePassed);
    let asked = stage.take();
    assert_eq!(asked.killed(), [app(0, 1)]);
    assert!(!asked.has_report(|report| matches!(report, Report::Abandoned { .. })));
}

#[test]
fn timeouts_of_zero_kill_at_once_and_still_end_with_0() {
    let (app_close_timeout, agent_close_timeout) = (Duration::ZERO, Duration::ZERO);
    let mut stage = Stage::ready(SupervisorConfig { app_close_timeout, agent_close_timeout, ..production() });
    stage.tell(stop());
    assert_eq!(stage.take().killed(), [app(0, 1), app(1, 1)]);
    stage.leave(app(0, 1));
    stage.leave(app(1, 1));
    assert_eq!(stage.take().killed(), [agent(1)]);
    stage.leave(agent(1));
    assert_eq!(stage.take().exit(), Some(0));
}

#[test]
fn a_second_stop_changes_nothing() {
    let mut stage = Stage::ready(production());
    stage.tell(stop());
    stage.take();
    stage.tell(Event::StopAsked { signal: Some("SIGINT".to_owned()) });
    stage.reload();
    assert!(stage.take().0.is_empty());
}

#[test]
fn nobody_is_forked_while_the_cluster_stops() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), Exit::Code(1));
    stage.exit(app(0, 2), Exit::Code(1));
    stage.exit(agent(1), Exit::Code(1));
    stage.take();
    stage.tell(stop());
    stage.exit(app(1, 1), Exit::Code(1));
    stage.wait(seconds(10));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.told()), (Vec::new(), Vec::new()));
    stage.tell(Event::TreeGone { who: app(1, 1) });
    assert_eq!(stage.take().exit(), None, "it is gone for long, and the master with it");
    assert!(!asked.has_report(|report| matches!(report, Report::AppDied { .. })));
    assert_eq!(asked.exit(), Some(0));
}

#[test]
fn a_stop_while_the_agent_boots_ends_with_0() {
    let mut stage = Stage::started(production());
    stage.take();
    stage.tell(stop());
    assert_eq!(stage.take().terminated(), [agent(1)]);
    stage.leave(agent(1));
    let asked = stage.take();
    assert_eq!((asked.exit(), asked.spawned()), (Some(0), Vec::new()));
}

#[test]
fn a_stop_while_apps_boot_ends_with_0_although_they_die_of_it() {
    let mut stage = Stage::with_booting_apps(production());
    stage.listen(app(0, 1));
    stage.tell(stop());
    stage.exit(app(1, 1), Exit::Signal("SIGTERM"));
    stage.tell(Event::TreeGone { who: app(1, 1) });
    stage.leave(app(0, 1));
    stage.leave(agent(1));
    assert_eq!(stage.take().exit(), Some(0));
}

#[test]
fn a_fork_that_is_under_way_when_the_stop_begins_is_waited_for_and_asked_to_leave() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    stage.forks = Forks::TakeTime;
    stage.exit(app(0, 1), SIGKILL);
    stage.tell(stop());
    stage.wait(seconds(60));
    assert_eq!(stage.take().terminated(), []);
    stage.tell(Event::Spawned { who: app(0, 2), pid: 12 });
    assert_eq!(stage.take().terminated(), [app(0, 2)]);
}

#[test]
fn an_agent_whose_fork_is_done_while_the_apps_leave_is_asked_when_its_turn_comes() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    stage.forks = Forks::TakeTime;
    stage.exit(agent(1), SIGKILL);
    stage.wait(seconds(1));
    stage.tell(stop());
    stage.take();
    stage.tell(Event::Spawned { who: agent(2), pid: 1_002 });
    assert_eq!(stage.take().terminated(), []);
    stage.leave(app(0, 1));
    assert_eq!(stage.take().terminated(), [agent(2)]);
}

#[test]
fn an_agent_that_boots_while_the_apps_leave_is_not_overdue() {
    let config = SupervisorConfig { workers: 1, boot_timeout: seconds(1), ..production() };
    for fork_is_done_before_the_stop in [true, false] {
        let mut stage = Stage::ready(config.clone());
        stage.forks = if fork_is_done_before_the_stop { Forks::Succeed } else { Forks::TakeTime };
        stage.exit(agent(1), SIGKILL);
        stage.wait(seconds(1));
        stage.tell(stop());
        stage.tell(Event::Spawned { who: agent(2), pid: 1_002 });
        stage.wait(seconds(4));
        assert_eq!(stage.take().exit(), None);
        stage.leave(app(0, 1));
        assert_eq!(stage.take().terminated(), [agent(2)]);
    }
}

#[test]
fn a_stop_before_the_start_ends_with_0_and_a_start_after_it_does_nothing() {
    let mut supervisor = Supervisor::new(production());
    supervisor.handle(stop(), Duration::ZERO);
    supervisor.handle(Event::StartAsked, Duration::ZERO);
    let effects: Vec<_> = std::iter::from_fn(|| supervisor.poll_effect()).collect();
    assert_eq!(super::Asked(effects).exit(), Some(0));
    assert_eq!(supervisor.next_deadline(), None);
}
