// The slices of time the sample's assets are made in. Days and months are UTC, and end with the data.
import { Partitions } from 'nestjs-flowstone';

/** 182 days; the last one, 1 July 2001, holds six flights. */
export const DAILY = Partitions.daily({ start: '2001-01-01', end: '2001-07-02' });

/** Seven months; of the last one there is one day. */
export const MONTHLY = Partitions.monthly({ start: '2001-01-01', end: '2001-08-01' });
