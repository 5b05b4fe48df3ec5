export interface AnswerBody {
  /** Undefined, which no mapping takes for a reply, where the body is no JSON. */
  readonly json: unknown;
}

/** The whole body of an answer. @throws what the connection broke with. */
export async function readBody(response: Response): Promise<AnswerBody> {
  const text = await response.text();
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { json: undefined };
  }
}
