// What a reviewer may make of a notice.
import { IsString, Length, Matches } from 'class-validator';

export class ArticleDto {
  @IsString()
  @Length(3, 80)
  headline!: string;

  @IsString()
  @Length(80, 1000)
  @Matches(/[.!?]$/, { message: 'body must end with a full stop' })
  body!: string;
}
