/** Where a gateway or a provider puts its own id of a request. The nearest one first: it is the one that can be asked. */
const HEADERS = ['x-litellm-call-id', 'helicone-id', 'x-generation-id', 'x-request-id', 'request-id', 'apim-request-id'];
const MAX_LENGTH = 200;

/** The id under which whoever answered keeps the request, ready to be spread into a result. */
export function providerRequestIdOf(headers: Headers | undefined): { readonly providerRequestId?: string } {
  for (const name of HEADERS) {
    const value = headers?.get(name);
    if (value && value.length <= MAX_LENGTH) return { providerRequestId: value };
  }
  return {};
}
