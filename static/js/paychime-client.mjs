/* The same client for `import { connect } from '.../paychime-client.mjs'`; a script cannot export. */
import './paychime-client.js';

export const { connect } = globalThis.Paychime;
