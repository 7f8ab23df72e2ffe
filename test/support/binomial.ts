/**
 * The range in which the number of successes of `count` trials lies but for once in a million each way, by the binomial
 * distribution: [low, high], both included.
 */
export function binomialBand(count: number, probability: number, tail = 1e-6): readonly [low: number, high: number] {
  let logPmf = count * Math.log1p(-probability);
  let below = 0;
  let low = 0;
  let lowFound = false;
  for (let successes = 0; successes <= count; successes += 1) {
    below += Math.exp(logPmf);
    if (!lowFound && below > tail) {
      low = successes;
      lowFound = true;
    }
    if (below >= 1 - tail) return [low, successes];
    logPmf += Math.log((count - successes) / (successes + 1)) + Math.log(probability / (1 - probability));
  }
  return [low, count];
}
