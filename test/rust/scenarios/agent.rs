//! The agent's accidents while the cluster runs.

use super::{Event, Exit, Forks, Notice, Report, SIGKILL, Stage, agent, app, local, pid, production, seconds};
use egg_clutch::slot::SlotState;
use egg_clutch::supervisor::SupervisorConfig;

#[test]
fn agent_death_restarts_no_app() {
    for config in [production(), local()] {
        let mut stage = Stage::ready(config);
        stage.exit(agent(1), Exit::Code(1));
        let asked = stage.take();
        assert_eq!(asked.told(), [Notice::AgentPidToApps(None), Notice::AgentDiedToParent]);
        assert_eq!(asked.spawned(), []);
        stage.wait(seconds(1));
        assert_eq!(stage.take().spawned(), [agent(2)]);
        stage.tell(Event::AgentStarted { who: agent(2) });
        let told = [
            Notice::ReadyToAgent,
            Notice::AgentPidToApps(Some(pid(agent(2)))),
            Notice::AppPidsToAgent(vec![pid(app(0, 1)), pid(app(1, 1))]),
            Notice::AgentStartToApps,
        ];
        assert_eq!(stage.take().told(), told);
        assert_eq!(stage.serving(), [app(0, 1), app(1, 1)]);
    }
}

#[test]
fn an_agent_is_forked_again_for_ever_a_second_after_it_served_and_later_where_it_keeps_dying() {
    let mut stage = Stage::ready(local());
    for generation in 1..100 {
        stage.exit(agent(generation), Exit::Code(1));
        stage.take();
        stage.wait(seconds(if generation < 6 { 1 } else { 15 }));
        assert_eq!(stage.take().spawned(), [agent(generation + 1)]);
    }
    stage.tell(Event::AgentStarted { who: agent(100) });
    stage.wait(seconds(60));
    stage.exit(agent(100), Exit::Code(1));
    stage.wait(seconds(1));
    assert!(stage.take().spawned().contains(&agent(101)));
}

#[test]
fn an_agent_that_cannot_be_forked_is_tried_again_and_again() {
    let mut stage = Stage::ready(local());
    stage.forks = Forks::Fail;
    stage.exit(agent(1), SIGKILL);
    stage.wait(seconds(5));
    assert_eq!(stage.take().spawned().len(), 5);
    stage.wait(seconds(115));
    assert!(stage.take().spawned().len() > 10);
    stage.forks = Forks::Succeed;
    stage.wait(seconds(15));
    assert_eq!(stage.view().agent.map(|agent| agent.state), Some(SlotState::Starting));
}

#[test]
fn an_agent_that_never_gets_ready_counts_as_none() {
    let mut stage = Stage::ready(production());
    stage.exit(agent(1), SIGKILL);
    stage.wait(seconds(30));
    let asked = stage.take();
    assert_eq!(asked.exit(), Some(1));
    assert!(asked.has_report(|report| *report == Report::CapacityLost { agents: 0, workers: 2 }));
}

#[test]
fn an_agent_that_hangs_while_it_boots_is_forced_out_and_forked_again() {
    let mut stage = Stage::ready(SupervisorConfig { boot_timeout: seconds(3), ..local() });
    stage.exit(agent(1), SIGKILL);
    stage.wait(seconds(4));
    assert_eq!(stage.take().terminated(), [agent(2)]);
    stage.exit(agent(2), Exit::Signal("SIGTERM"));
    stage.wait(seconds(1));
    assert_eq!(stage.take().spawned(), [agent(3)]);
}

#[test]
fn an_agent_whose_channel_closed_has_its_close_timeout_to_end() {
    let mut stage = Stage::ready(local());
    stage.close(agent(1));
    stage.wait(seconds(5));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.terminated()), (Vec::new(), vec![agent(1)]));
    stage.wait(seconds(5));
    assert_eq!(stage.take().killed(), [agent(1)]);
    stage.exit(agent(1), SIGKILL);
    stage.wait(seconds(1));
    assert_eq!(stage.take().spawned(), [agent(2)]);
}

#[test]
fn an_agent_that_cannot_be_killed_gets_a_successor_all_the_same() {
    let mut stage = Stage::ready(local());
    stage.tell(Event::ProtocolViolated { who: agent(1) });
    assert_eq!(stage.take().killed(), [agent(1)]);
    stage.wait(seconds(13));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::Abandoned { is_agent: true, .. })));
    assert_eq!(asked.told(), [Notice::AgentPidToApps(None), Notice::AgentDiedToParent]);
    assert_eq!(asked.spawned(), [agent(2)]);
    stage.take();
    stage.exit(agent(1), SIGKILL);
    assert!(stage.take().0.is_empty(), "its end comes too late to mean anything");
}

#[test]
fn an_app_that_starts_while_the_agent_boots_is_not_told_of_it_before_it_is_ready() {
    let mut stage = Stage::ready(SupervisorConfig { announce_agent_pid: true, ..production() });
    stage.exit(agent(1), SIGKILL);
    stage.wait(seconds(1));
    stage.exit(app(0, 1), SIGKILL);
    stage.take();
    stage.listen(app(0, 2));
    assert!(!stage.take().told().iter().any(|notice| matches!(notice, Notice::AgentPidToApp { .. })));
    stage.tell(Event::AgentStarted { who: agent(2) });
    assert!(stage.take().told().contains(&Notice::AgentPidToApps(Some(pid(agent(2))))));
}
