'use strict';

const assert = require('node:assert/strict');
const { Normaliser } = require('../answers/normalise');

describe('texts of two clusters made alike', () => {
  it('take no part of a time for the pid of a process', () => {
    const normaliser = new Normaliser([[819, '<app 1 pid>'], [2026, '<app 2 pid>'], [22, '<agent pid>']]);
    const line = '2026-11-22 22:48:55,819 INFO 2026 by 819, not by 1819 or by agent 22';
    assert.equal(normaliser.text(line), '0000-00-00 00:00:00,000 INFO <app 2 pid> by <app 1 pid>, not by 1819 or by agent <agent pid>');
  });
});
