'use strict';

/** Resolves to what `promise` rejects with, and rejects where it does not. */
async function refusal(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`nothing was refused: ${JSON.stringify(value)}`);
}

module.exports = { refusal };
