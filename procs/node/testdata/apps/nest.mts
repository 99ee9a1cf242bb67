import 'reflect-metadata'
import { Controller, Get, Injectable, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'

@Injectable()
class Who {
  pid(): number {
    return process.pid
  }
}

@Controller()
class AppController {
  constructor(private readonly who: Who) {}

  @Get()
  get(): { pid: number } {
    return { pid: this.who.pid() }
  }
}

@Module({ controllers: [AppController], providers: [Who] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] })
app.enableShutdownHooks()
await app.listen(Number(process.env.PORT))
