/** A line that can't be followed; changes.ts says which one it was. */
export class InstructionProblem extends Error {}
