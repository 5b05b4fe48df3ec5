import { addMessage } from './agent-run/add-message.ts';
import { addNote, readAnswer } from './agent-run/notes.ts';
import { finishRun } from './agent-run/finish-run.ts';
import { pinTask } from './agent-run/pin-task.ts';
import { openGate } from './approval/open-gate.ts';
import { raiseBudget, recordDecision } from './approval/record-decision.ts';
import { reconcileBatch } from './budget/reconcile-batch.ts';
import { takeOver } from './approval/take-over.ts';
import { translated } from './failure.ts';
import { callModel } from './model/call-model.ts';
import type { Activities } from './port.ts';
import type { ActivityPorts } from './ports.ts';
import { refuseCall, resolveInDoubt } from './tool/answers.ts';
import { executeTool } from './tool/execute-tool.ts';

/** The activities of a worker over its ports. */
export function createActivities(ports: ActivityPorts): Activities {
  return {
    pinTask: (input) => translated(() => pinTask(ports, input)),
    callModel: (input) => translated(() => callModel(ports, input)),
    executeTool: (input) => translated(() => executeTool(ports, input)),
    addMessage: (input) => translated(() => addMessage(ports, input)),
    addNote: (input) => translated(() => addNote(ports, input)),
    readAnswer: (input) => translated(() => readAnswer(ports, input)),
    openGate: (input) => translated(() => openGate(ports, input)),
    recordDecision: (input) => translated(() => recordDecision(ports, input)),
    closeGate: ({ runKey, approvalId, status }) => translated(async () => ({ gateStatus: await ports.store.closeGate(runKey, approvalId, status) })),
    refuseCall: (input) => translated(() => refuseCall(ports, input)),
    resolveInDoubt: (input) => translated(() => resolveInDoubt(ports, input)),
    takeOver: (input) => translated(() => takeOver(ports, input)),
    raiseBudget: (input) => translated(() => raiseBudget(ports, input)),
    reconcileBatch: (input) => translated(() => reconcileBatch(ports, input)),
    finishRun: (input) => translated(() => finishRun(ports, input)),
  };
}
