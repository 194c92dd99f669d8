// What was flown in a month: how many routes, which the busiest, how far. Pure.
import type { Flight } from '../source/flight.js';

/** A month of the network. A route has a direction: LAX to LAS and LAS to LAX are two. */
export interface Network {
  /** How many routes were flown at least once. */
  routes: number;
  /** The route flown most often; of several, the first by the codes of origin and destination. */
  busiest: { origin: string; destination: string; flights: number };
  flights: number;
  /** Miles per flight. */
  averageDistance: number;
}

/** The network of all flights of the given days. Throws when there is no flight at all. */
export async function networkOf(
  days: AsyncIterable<readonly [string, AsyncIterable<Pick<Flight, 'origin' | 'destination' | 'distance'>>]>,
): Promise<Network> {
  const routes = new Map<string, number>();
  let flights = 0;
  let miles = 0;
  for await (const [, flightsOfDay] of days) {
    for await (const { origin, destination, distance } of flightsOfDay) {
      const route = `${origin} ${destination}`;
      routes.set(route, (routes.get(route) ?? 0) + 1);
      flights += 1;
      miles += distance;
    }
  }
  let busiest: [route: string, flights: number] | undefined;
  for (const [route, times] of routes) {
    if (!busiest || times > busiest[1] || (times === busiest[1] && route < busiest[0])) busiest = [route, times];
  }
  if (busiest === undefined) throw new RangeError('no network of no flights');
  const [origin, destination] = busiest[0].split(' ') as [string, string];
  return {
    routes: routes.size,
    busiest: { origin, destination, flights: busiest[1] },
    flights,
    averageDistance: miles / flights,
  };
}
