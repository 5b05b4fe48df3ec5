import type {
  AddMessageInput,
  AddMessageOutcome,
  AddNoteInput,
  CallModelInput,
  CallModelOutcome,
  CloseGateInput,
  CloseGateOutcome,
  ExecuteToolInput,
  ExecuteToolOutcome,
  FinishRunInput,
  FinishRunOutcome,
  NodeOutcome,
  OpenGateInput,
  OpenGateOutcome,
  PinTaskInput,
  PinTaskOutcome,
  PlanCompensationInput,
  PlanCompensationOutcome,
  RaiseBudgetInput,
  RaiseBudgetOutcome,
  ReadAnswerInput,
  ReadAnswerOutcome,
  RecordAnswerInput,
  RecordAnswerOutcome,
  RecordDecisionInput,
  RecordDecisionOutcome,
  RecordRepairInput,
  RecordRepairOutcome,
  RecordQuestionInput,
  RecordQuestionOutcome,
  RefuseCallInput,
  ResolveInDoubtInput,
  TakeOverInput,
  TakeOverOutcome,
  TendGateInput,
  TendGateOutcome,
} from '../contracts/agent-run.ts';
import type { ReconcileBatchInput, ReconcileBatchOutcome } from '../contracts/reconcile.ts';

/** Every activity by name, as workflows see them. Expected outcomes are values; what they throw has a type of contracts/failures.ts. */
export interface Activities {
  /** Pins the task under a digest, opens the run's ledger and writes its first message. */
  pinTask(input: PinTaskInput): Promise<PinTaskOutcome>;
  /** One try of one model. Temporal's retry recovers what the first execution did and never sends again. */
  callModel(input: CallModelInput): Promise<CallModelOutcome>;
  /** Carries out one tool call; an irreversible one only by its gate's consumed approval, at most once. */
  executeTool(input: ExecuteToolInput): Promise<ExecuteToolOutcome>;
  /** Writes a message from outside as a transcript node and audits it, whatever comes of it. */
  addMessage(input: AddMessageInput): Promise<AddMessageOutcome>;
  /** Writes what a workflow of one's own says to the model. */
  addNote(input: AddNoteInput): Promise<NodeOutcome>;
  /** An answer's text, for a workflow that decides by it. */
  readAnswer(input: ReadAnswerInput): Promise<ReadAnswerOutcome>;
  openGate(input: OpenGateInput): Promise<OpenGateOutcome>;
  /** Verifies and audits what a person decided. */
  recordDecision(input: RecordDecisionInput): Promise<RecordDecisionOutcome>;
  /** Verifies, makes and audits what an operator does to the run. */
  recordRepair(input: RecordRepairInput): Promise<RecordRepairOutcome>;
  /** Verifies, redacts and audits what a person asks the agent at a gate. */
  recordQuestion(input: RecordQuestionInput): Promise<RecordQuestionOutcome>;
  /** Writes the agent's answer beside the question. Nothing else of the gate changes. */
  recordAnswer(input: RecordAnswerInput): Promise<RecordAnswerOutcome>;
  /** Writes down that a gate is to be reminded of, or that another role may decide. */
  tendGate(input: TendGateInput): Promise<TendGateOutcome>;
  closeGate(input: CloseGateInput): Promise<CloseGateOutcome>;
  /** Tells the model that a gate stopped its call. */
  refuseCall(input: RefuseCallInput): Promise<NodeOutcome>;
  resolveInDoubt(input: ResolveInDoubtInput): Promise<NodeOutcome>;
  raiseBudget(input: RaiseBudgetInput): Promise<RaiseBudgetOutcome>;
  /** Plans how completed actions of a run that is over are undone. The same call again finds the plan as it is. */
  planCompensation(input: PlanCompensationInput): Promise<PlanCompensationOutcome>;
  /** Uses up what people approved for a run that no model answers: another try, or their answer. */
  takeOver(input: TakeOverInput): Promise<TakeOverOutcome>;
  /** Writes the run's end to the store. */
  finishRun(input: FinishRunInput): Promise<FinishRunOutcome>;
  /** Asks providers what became of some attempts whose money is held, and moves what is certain. Again changes nothing twice. */
  reconcileBatch(input: ReconcileBatchInput): Promise<ReconcileBatchOutcome>;
}
