import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.cr.config.CrProcessorConfig;
import ca.uhn.fhir.cr.config.RepositoryConfig;
import ca.uhn.fhir.cr.config.r4.ApplyOperationConfig;
import ca.uhn.fhir.jpa.api.IDaoRegistry;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binstore.DatabaseBinaryContentStorageSvcImpl;
import ca.uhn.fhir.jpa.config.HibernatePropertiesProvider;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.config.util.ResourceCountCacheUtil;
import ca.uhn.fhir.jpa.dao.FulltextSearchSvcImpl;
import ca.uhn.fhir.jpa.dao.IFulltextSearchSvc;
import ca.uhn.fhir.jpa.dao.search.HSearchSortHelperImpl;
import ca.uhn.fhir.jpa.dao.search.IHSearchSortHelper;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.provider.DaoRegistryResourceSupportedSvc;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.provider.ValueSetOperationProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.search.HapiHSearchAnalysisConfigurers;
import ca.uhn.fhir.jpa.search.IStaleSearchDeletingSvc;
import ca.uhn.fhir.jpa.search.StaleSearchDeletingSvcImpl;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import ca.uhn.fhir.jpa.util.ResourceCountCache;
import ca.uhn.fhir.jpa.validation.JpaValidationSupportChain;
import ca.uhn.fhir.rest.api.IResourceSupportedSvc;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.h2.jdbcx.JdbcDataSource;
import org.hibernate.dialect.Dialect;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.opencds.cqf.fhir.cql.EvaluationSettings;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;
import org.springframework.web.context.ContextLoaderListener;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;

/** HAPI's JPA server for R4 with clinical reasoning on loopback, all in memory: {@code java -jar server.jar PORT [FOLDER…]}. */
public final class Server {

  public static void main(String[] given) throws Exception {
    AnnotationConfigWebApplicationContext spring = new AnnotationConfigWebApplicationContext();
    spring.register(Beans.class);
    ServletContextHandler web = new ServletContextHandler("/");
    web.addEventListener(new ContextLoaderListener(spring));
    org.eclipse.jetty.server.Server jetty = new org.eclipse.jetty.server.Server(new java.net.InetSocketAddress("127.0.0.1", Integer.parseInt(given[0])));
    jetty.setHandler(web);
    web.addServlet(new ServletHolder(new jakarta.servlet.http.HttpServlet() {
      private RestfulServer fhir;

      @Override
      public void init(jakarta.servlet.ServletConfig config) throws jakarta.servlet.ServletException {
        fhir = spring.getBean(RestfulServer.class);
        fhir.init(config);
      }

      @Override
      public void service(jakarta.servlet.ServletRequest request, jakarta.servlet.ServletResponse response)
          throws java.io.IOException, jakarta.servlet.ServletException {
        fhir.service(request, response);
      }
    }), "/fhir/*");
    jetty.start();
    spring.getBean(JpaValidationSupportChain.class).addValidationSupport(0, definitions(spring.getBean(FhirContext.class), given));
    System.out.println("ready");
    jetty.join();
  }

  /** What the folders given after the port define, before what HAPI brings of R4: HL7's extensions of today. */
  private static PrePopulatedValidationSupport definitions(FhirContext context, String[] given) throws Exception {
    PrePopulatedValidationSupport found = new PrePopulatedValidationSupport(context);
    for (String folder : List.of(given).subList(1, given.length)) {
      try (Stream<Path> files = Files.list(Path.of(folder))) {
        for (Path file : files.filter(item -> item.getFileName().toString().matches("(CodeSystem|StructureDefinition|ValueSet)-.*[.]json")).sorted().toList()) {
          found.addResource(context.newJsonParser().parseResource(Files.readString(file)));
        }
      }
      Path paths = Path.of(folder).resolveSibling("other").resolve("xver-paths-5.0.json");
      if (Files.exists(paths)) found.addBinary(Files.readAllBytes(paths), paths.getFileName().toString());
    }
    return found;
  }

  @Configuration
  @Import({
    JpaR4Config.class,
    ThreadPoolFactoryConfig.class,
    SubscriptionSubmitterConfig.class,
    SubscriptionChannelConfig.class,
    JpaBatch2Config.class,
    Batch2JobsConfig.class,
    RepositoryConfig.class,
    CrProcessorConfig.class,
    ApplyOperationConfig.class
  })
  static class Beans {

    @Bean
    DataSource dataSource() {
      JdbcDataSource found = new JdbcDataSource();
      found.setURL("jdbc:h2:mem:interop;DB_CLOSE_DELAY=-1");
      found.setUser("sa");
      return found;
    }

    @Bean
    JpaStorageSettings storageSettings() {
      JpaStorageSettings found = new JpaStorageSettings();
      found.setAllowExternalReferences(true);
      found.setAllowContainsSearches(true);
      found.setSchedulingDisabled(true);
      found.setDeferIndexingForCodesystemsOfSize(100_000); // at once: nothing runs on a schedule here
      return found;
    }

    @Bean
    PartitionSettings partitionSettings() {
      return new PartitionSettings();
    }

    @Bean
    SubscriptionSettings subscriptionSettings() {
      return new SubscriptionSettings();
    }

    @Primary
    @Bean
    HibernatePropertiesProvider hibernateProperties() {
      return new HibernatePropertiesProvider() {
        @Override
        public Dialect getDialect() {
          return new HapiFhirH2Dialect();
        }
      };
    }

    @Primary
    @Bean
    LocalContainerEntityManagerFactoryBean entityManagerFactory(
        DataSource source, ConfigurableListableBeanFactory beans, FhirContext context, JpaStorageSettings settings) {
      LocalContainerEntityManagerFactoryBean found = HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, context, settings);
      found.setPersistenceUnitName("HAPI_PU");
      found.setDataSource(source);
      Properties properties = new Properties();
      properties.put("hibernate.dialect", HapiFhirH2Dialect.class.getName());
      properties.put("hibernate.hbm2ddl.auto", "update");
      properties.put("hibernate.search.enabled", "true"); // $expand of a whole code system asks it
      properties.put("hibernate.search.backend.type", "lucene");
      properties.put("hibernate.search.backend.directory.type", "local-heap");
      properties.put("hibernate.search.backend.lucene_version", "LUCENE_CURRENT");
      properties.put("hibernate.search.backend.analysis.configurer", HapiHSearchAnalysisConfigurers.HapiLuceneAnalysisConfigurer.class.getName());
      found.setJpaProperties(properties);
      return found;
    }

    @Primary
    @Bean
    JpaTransactionManager transactionManager(EntityManagerFactory factory) {
      return new JpaTransactionManager(factory);
    }

    @Bean
    IFulltextSearchSvc fullTextSearchSvc() {
      return new FulltextSearchSvcImpl();
    }

    @Bean
    IStaleSearchDeletingSvc staleSearchDeletingSvc() {
      return new StaleSearchDeletingSvcImpl();
    }

    @Bean
    DatabaseBackedPagingProvider pagingProvider() {
      DatabaseBackedPagingProvider found = new DatabaseBackedPagingProvider();
      found.setDefaultPageSize(50);
      found.setMaximumPageSize(1000);
      return found;
    }

    @Bean
    IResourceSupportedSvc resourceSupportedSvc(IDaoRegistry registry) {
      return new DaoRegistryResourceSupportedSvc(registry);
    }

    @Bean("myResourceCountsCache")
    ResourceCountCache resourceCountsCache(IFhirSystemDao<?, ?> dao) {
      return ResourceCountCacheUtil.newResourceCountCache(dao);
    }

    @Bean
    IHSearchSortHelper hSearchSortHelper(ISearchParamRegistry registry) {
      return new HSearchSortHelperImpl(registry);
    }

    @Bean
    IBinaryStorageSvc binaryStorageSvc() {
      return new DatabaseBinaryContentStorageSvcImpl();
    }

    @Bean
    EvaluationSettings evaluationSettings() {
      EvaluationSettings found = EvaluationSettings.getDefault();
      found.setLibraryCache(new ConcurrentHashMap<>());
      found.setModelCache(new ConcurrentHashMap<>());
      found.setValueSetCache(new ConcurrentHashMap<>());
      return found;
    }

    @Bean
    RestfulServer restfulServer(
        IFhirSystemDao<?, ?> dao, IJpaSystemProvider system, ResourceProviderFactory resources, JpaStorageSettings settings,
        ISearchParamRegistry parameters, IValidationSupport validation, DatabaseBackedPagingProvider paging, ValueSetOperationProvider valueSets) {
      RestfulServer found = new RestfulServer(dao.getContext());
      found.registerProviders(resources.createProviders());
      found.registerProvider(system);
      found.registerProvider(valueSets);
      found.setPagingProvider(paging);
      found.setServerConformanceProvider(new JpaCapabilityStatementProvider(found, dao, settings, parameters, validation));
      return found;
    }
  }
}
