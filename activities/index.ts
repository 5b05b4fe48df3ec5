import { addMessage } from './agent-run/add-message.ts';
import { addNote, readAnswer } from './agent-run/notes.ts';
import { finishRun } from './agent-run/finish-run.ts';
import { pinTask } from './agent-run/pin-task.ts';
import { recordRepair } from './agent-run/record-repair.ts';
import { openGate } from './approval/open-gate.ts';
import { tendGate } from './approval/tend-gate.ts';
import { recordAnswer } from './approval/record-answer.ts';
import { recordQuestion } from './approval/record-question.ts';
import { raiseBudget, recordDecision } from './approval/record-decision.ts';
import { reconcileBatch } from './budget/reconcile-batch.ts';
import { takeOver } from './approval/take-over.ts';
import { translated } from './failure.ts';
import { createScrubber } from '../domain/redaction/scrub.ts';
import { callModel } from './model/call-model.ts';
import type { Activities } from './port.ts';
import type { ActivityPorts } from './ports.ts';
import { refuseCall, resolveInDoubt } from './tool/answers.ts';
import { planUndoing } from './tool/compensation.ts';
import { executeTool } from './tool/execute-tool.ts';

/** The activities of a worker over its ports. */
export function createActivities(ports: ActivityPorts): Activities {
  const scrubber = createScrubber(ports.redaction);
  const answering = <T>(body: () => Promise<T>) => translated(scrubber, body);
  return {
    pinTask: (input) => answering(() => pinTask(ports, input)),
    callModel: (input) => answering(() => callModel(ports, input)),
    executeTool: (input) => answering(() => executeTool(ports, input)),
    addMessage: (input) => answering(() => addMessage(ports, input)),
    addNote: (input) => answering(() => addNote(ports, input)),
    readAnswer: (input) => answering(() => readAnswer(ports, input)),
    openGate: (input) => answering(() => openGate(ports, input)),
    recordDecision: (input) => answering(() => recordDecision(ports, input)),
    recordRepair: (input) => answering(() => recordRepair(ports, input)),
    recordQuestion: (input) => answering(() => recordQuestion(ports, input)),
    recordAnswer: (input) => answering(() => recordAnswer(ports, input)),
    tendGate: (input) => answering(() => tendGate(ports, input)),
    closeGate: ({ runKey, approvalId, status }) => answering(async () => ({ gateStatus: await ports.store.closeGate(runKey, approvalId, status) })),
    refuseCall: (input) => answering(() => refuseCall(ports, input)),
    resolveInDoubt: (input) => answering(() => resolveInDoubt(ports, input)),
    planCompensation: (input) => answering(() => planUndoing(ports, input)),
    takeOver: (input) => answering(() => takeOver(ports, input)),
    raiseBudget: (input) => answering(() => raiseBudget(ports, input)),
    reconcileBatch: (input) => answering(() => reconcileBatch(ports, input)),
    finishRun: (input) => answering(() => finishRun(ports, input)),
  };
}
