import htm from 'htm';
import { h, type VNode } from 'preact';

/** Elements from a template. Whatever stands in `${…}` is text or an element, never markup. */
export const html = htm.bind(h) as (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
