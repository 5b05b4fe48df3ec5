import type { TaskDefinition } from '../contracts/task.ts';
import type { ModelCatalogue } from '../domain/model/catalogue-port.ts';
import { taskPrice } from '../domain/task/candidates.ts';
import type { ScriptedModel } from './scripted-model.ts';

/** Puts the models of tasks on the price list that the bill is computed with: at the prices that their runs will be pinned to. */
export function pricedModels(catalogue: ModelCatalogue, model: ScriptedModel): { add(tasks: readonly TaskDefinition[]): void } {
  return {
    add(tasks) {
      for (const candidate of tasks.flatMap((task) => task.models)) {
        const entry = catalogue.find(candidate.model);
        const price = candidate.price ? taskPrice(candidate.model, candidate.price) : entry?.price;
        if (entry && price) model.setPrice(entry.wireModel, price);
      }
    },
  };
}
