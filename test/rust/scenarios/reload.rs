//! New app workers for old ones.

use super::{Event, Exit, Forks, Notice, Report, SIGKILL, Stage, agent, app, local, pid, production, seconds};
use egg_clutch::supervisor::SupervisorConfig;

fn reload_failed(report: &Report) -> bool {
    matches!(report, Report::ReloadFailed { .. })
}

fn reload_done(report: &Report) -> bool {
    matches!(report, Report::ReloadDone { .. })
}

#[test]
fn an_old_worker_is_asked_to_leave_when_its_own_successor_listens() {
    for config in [production(), local()] {
        let mut stage = Stage::ready(config);
        stage.reload();
        let asked = stage.take();
        assert_eq!((asked.spawned(), asked.terminated()), (vec![app(0, 2), app(1, 2)], Vec::new()));
        stage.listen(app(1, 2));
        assert_eq!(stage.take().terminated(), [app(1, 1)]);
        stage.listen(app(0, 2));
        let asked = stage.take();
        assert_eq!(asked.terminated(), [app(0, 1)]);
        assert!(asked.has_report(reload_done));
        stage.leave(app(0, 1));
        stage.leave(app(1, 1));
        let asked = stage.take();
        assert_eq!(asked.spawned(), []);
        assert!(!asked.has_report(|report| matches!(report, Report::AppDied { .. })));
        assert_eq!(asked.told().iter().filter(|notice| **notice == Notice::AppDiedToParent).count(), 2);
        assert_eq!(stage.serving(), [app(0, 2), app(1, 2)]);
    }
}

#[test]
fn an_old_worker_that_does_not_leave_is_killed_at_the_close_timeout() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..local() });
    stage.reload();
    stage.listen(app(0, 2));
    stage.wait(seconds(5));
    assert_eq!(stage.take().killed(), [app(0, 1)]);
    stage.wait(seconds(2));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::Abandoned { .. })));
    assert_eq!(asked.told(), [Notice::AppPidsToAgent(vec![pid(app(0, 2))]), Notice::AppDiedToParent]);
    assert_eq!(stage.view().apps.len(), 1);
}

#[test]
fn second_reload_queues_once() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    for _ in 0..4 {
        stage.reload();
    }
    assert_eq!(stage.take().spawned(), [app(0, 2)]);
    stage.listen(app(0, 2));
    assert_eq!(stage.take().spawned(), [app(0, 3)]);
    stage.listen(app(0, 3));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.terminated()), (Vec::new(), vec![app(0, 2)]));
}

#[test]
fn failed_boot_keeps_the_old_workers() {
    for config in [production(), local()] {
        let mut stage = Stage::ready(config);
        stage.reload();
        stage.take();
        stage.exit(app(0, 2), Exit::Code(1));
        let asked = stage.take();
        assert_eq!((asked.spawned(), asked.terminated()), (Vec::new(), vec![app(1, 2)]));
        assert!(asked.has_report(reload_failed));
        assert!(asked.has_report(|report| matches!(report, Report::AppDied { .. })), "its death is an accident");
        stage.listen(app(1, 2));
        stage.leave(app(1, 2));
        stage.wait(seconds(60));
        let asked = stage.take();
        assert_eq!((asked.spawned(), asked.terminated()), (Vec::new(), Vec::new()));
        assert!(!asked.has_report(|report| matches!(report, Report::AppDied { .. })), "it was told to leave");
        assert_eq!(stage.serving(), [app(0, 1), app(1, 1)]);
    }
}

#[test]
fn a_slot_whose_successor_listens_already_keeps_it_when_another_one_fails() {
    let mut stage = Stage::ready(production());
    stage.reload();
    stage.listen(app(0, 2));
    stage.exit(app(1, 2), Exit::Code(1));
    stage.leave(app(0, 1));
    assert_eq!(stage.serving(), [app(1, 1), app(0, 2)]);
}

#[test]
fn a_successor_that_loses_its_channel_ends_the_reload_although_it_stays() {
    let mut stage = Stage::ready(local());
    stage.reload();
    stage.take();
    stage.close(app(0, 2));
    let asked = stage.take();
    assert!(asked.has_report(reload_failed));
    assert_eq!(asked.terminated(), [app(0, 2), app(1, 2)]);
    assert_eq!(stage.serving(), [app(0, 1), app(1, 1)]);
}

#[test]
fn a_successor_that_hangs_while_it_boots_ends_the_reload() {
    let mut stage = Stage::ready(SupervisorConfig { boot_timeout: seconds(3), ..local() });
    stage.reload();
    stage.listen(app(0, 2));
    stage.take();
    stage.wait(seconds(3));
    let asked = stage.take();
    assert!(asked.has_report(reload_failed));
    assert_eq!(asked.terminated(), [app(1, 2)]);
    assert_eq!(stage.serving(), [app(1, 1), app(0, 2)]);
}

#[test]
fn a_reload_after_a_failed_one_begins_at_once() {
    let mut stage = Stage::ready(production());
    stage.reload();
    stage.reload();
    stage.take();
    stage.exit(app(0, 2), Exit::Code(1));
    assert_eq!(stage.take().spawned(), [app(0, 3), app(1, 3)]);
    stage.listen(app(0, 3));
    stage.listen(app(1, 3));
    let asked = stage.take();
    assert_eq!(asked.terminated(), [app(0, 1), app(1, 1)]);
    assert!(asked.has_report(reload_done));
}

#[test]
fn a_fork_that_was_under_way_when_the_reload_failed_leaves_as_soon_as_it_is_done() {
    let mut stage = Stage::ready(local());
    stage.forks = Forks::TakeTime;
    stage.reload();
    stage.tell(Event::SpawnFailed { who: app(0, 2) });
    assert!(stage.take().has_report(reload_failed));
    stage.tell(Event::Spawned { who: app(1, 2), pid: 22 });
    assert_eq!(stage.take().terminated(), [app(1, 2)]);
    stage.listen(app(1, 2));
    assert_eq!(stage.serving(), [app(0, 1), app(1, 1)]);
}

#[test]
fn a_fork_that_was_under_way_when_the_reload_failed_is_taken_when_the_old_worker_dies() {
    let mut stage = Stage::ready(production());
    stage.forks = Forks::TakeTime;
    stage.reload();
    stage.tell(Event::SpawnFailed { who: app(0, 2) });
    stage.take();
    stage.exit(app(1, 1), SIGKILL);
    assert_eq!(stage.take().spawned(), [], "a second fork of the slot would be one too many");
    stage.tell(Event::Spawned { who: app(1, 2), pid: 22 });
    stage.listen(app(1, 2));
    assert_eq!(stage.take().terminated(), []);
    assert_eq!(stage.serving(), [app(0, 1), app(1, 2)]);
}

#[test]
fn a_worker_that_still_boots_is_replaced_because_it_may_have_read_the_old_code() {
    let mut stage = Stage::ready(production());
    stage.exit(app(0, 1), SIGKILL);
    stage.take();
    stage.reload();
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.terminated()), (vec![app(0, 3), app(1, 2)], vec![app(0, 2)]));
    stage.listen(app(0, 2));
    stage.leave(app(0, 2));
    stage.listen(app(0, 3));
    stage.listen(app(1, 2));
    assert!(stage.take().has_report(reload_done));
    assert_eq!(stage.serving(), [app(0, 3), app(1, 2)]);
}

#[test]
fn a_reload_fills_the_places_that_deaths_left_empty() {
    let mut stage = Stage::ready(local());
    stage.exit(app(0, 1), SIGKILL);
    stage.take();
    stage.reload();
    assert_eq!(stage.take().spawned(), [app(0, 2), app(1, 2)]);
    stage.listen(app(0, 2));
    stage.listen(app(1, 2));
    assert_eq!(stage.serving(), [app(0, 2), app(1, 2)]);
}

#[test]
fn an_old_worker_that_dies_during_the_reload_is_not_forked_a_second_time() {
    let mut stage = Stage::ready(production());
    stage.reload();
    stage.take();
    stage.exit(app(0, 1), SIGKILL);
    assert_eq!(stage.take().spawned(), []);
    stage.exit(app(0, 2), Exit::Code(1));
    assert_eq!(stage.take().spawned(), [app(0, 3)], "now the slot is empty");
}

#[test]
fn a_stop_during_a_reload_asks_everybody_to_leave() {
    let mut stage = Stage::ready(production());
    stage.reload();
    stage.take();
    stage.tell(Event::StopAsked { signal: None });
    let everybody = [app(0, 1), app(1, 1), app(0, 2), app(1, 2)];
    assert_eq!(stage.take().terminated(), everybody);
    everybody.into_iter().for_each(|who| stage.leave(who));
    stage.leave(agent(1));
    assert_eq!(stage.take().exit(), Some(0));
}

/// One that was sent away by us while others serve; not one whose place is empty meanwhile, nor one whose end a stop waits for.
#[test]
fn has_leisure_where_others_serve() {
    let mut stage = Stage::ready(production());
    assert!(!stage.supervisor.has_leisure(app(0, 1)), "somebody else has asked it to leave");
    stage.reload();
    stage.listen(app(0, 2));
    let leisure = |stage: &Stage| [app(0, 1), app(1, 1), app(0, 2)].map(|who| stage.supervisor.has_leisure(who));
    assert_eq!(leisure(&stage), [true, false, false]);
    stage.tell(Event::StopAsked { signal: None });
    assert_eq!(leisure(&stage), [false, false, false]);
    let mut alone = Stage::ready(SupervisorConfig { shares_sockets: false, ..production() });
    alone.reload();
    assert_eq!(alone.take().terminated().len(), 1, "a place is emptied before it is filled");
    assert!(!alone.supervisor.has_leisure(app(0, 1)));
}
